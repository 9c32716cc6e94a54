import { expect, it } from 'vitest';
import { parseJsonObject } from './json-object.ts';

it('reads an object', () => {
  expect(parseJsonObject(' {"a":[1,{"b":null}]} ')).toEqual({ a: [1, { b: null }] });
});

it.each(['', '[]', 'null', '"a"', '1', '{', '{"a":1}{', '{a:1}'])('reads nothing in %j', (text) => {
  expect(parseJsonObject(text)).toBeUndefined();
});

it('leaves out a field that would be taken for the prototype', () => {
  const read = parseJsonObject('{"a":1,"__proto__":{"b":2}}');
  expect(Object.keys(read ?? {})).toEqual(['a']);
  expect(Reflect.get({ ...read }, 'b')).toBeUndefined();
});
