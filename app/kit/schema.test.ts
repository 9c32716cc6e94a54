import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  choiceSchema,
  flagSchema,
  integerSchema,
  listSchema,
  looseObjectSchema,
  numberSchema,
  objectSchema,
  optionalSchema,
  parsedSchema,
  readWith,
  SchemaError,
  textSchema,
  variantSchema,
  type Schema,
} from './schema.ts';

type Message =
  | { readonly type: 'name'; readonly name: string; readonly note?: string | undefined }
  | { readonly type: 'end' };

const named = textSchema({ min: 1, max: 4, pattern: /^[a-z]+$/ });
const message: Schema<Message> = variantSchema<Message>({
  name: { name: named, note: optionalSchema(textSchema({ max: 3 })) },
  end: {},
});
const pair = objectSchema<{ readonly a: number; readonly b?: boolean | undefined }>({
  a: integerSchema(0, 10),
  b: optionalSchema(flagSchema),
});

describe('schemas', () => {
  it.each<readonly [string, Schema<unknown>, unknown]>([
    ['a text', named, 'abcd'],
    ['a whole number', integerSchema(-1, 1), -1],
    ['a number', numberSchema, 1.5],
    ['a flag', flagSchema, false],
    ['a choice', choiceSchema([4, 6]), 6],
    ['the empty choice', choiceSchema(['', 'a']), ''],
    ['a list', listSchema(named, { max: 2 }), ['a', 'b']],
    ['nothing', optionalSchema(named), undefined],
    ['an object', pair, { a: 0, b: true }],
    ['an object without what may be absent', pair, { a: 0 }],
    ['a variant', message, { type: 'name', name: 'a' }],
    ['a variant without fields', message, { type: 'end' }],
  ])('takes %s as it is', (_name, schema, value) => {
    expect(schema(value)).toEqual(value);
  });

  it.each<readonly [string, Schema<unknown>, unknown]>([
    ['a longer text', named, 'abcde'],
    ['a shorter text', named, ''],
    ['a text of another form', named, 'A'],
    ['a number for a text', named, 1],
    ['a fraction', integerSchema(0, 10), 1.5],
    ['a number above its bound', integerSchema(0, 10), 11],
    ['a number below its bound', integerSchema(0, 10), -1],
    ['a number past what is exact', integerSchema(0, Number.MAX_VALUE), 2 ** 53],
    ['digits for a number', integerSchema(0, 10), '1'],
    ['no number', numberSchema, Number.NaN],
    ['no end', numberSchema, Number.POSITIVE_INFINITY],
    ['a word for a flag', flagSchema, 'true'],
    ['what is no choice', choiceSchema(['a', 'b']), 'c'],
    ['a longer list', listSchema(named, { max: 1 }), ['a', 'b']],
    ['a shorter list', listSchema(named, { min: 1, max: 1 }), []],
    ['a hole in a list', listSchema(named, { max: 3 }), Array.from({ length: 2 })],
    ['what only looks like a list', listSchema(named, { max: 3 }), { length: 0 }],
    ['a wrong item', listSchema(named, { max: 3 }), ['a', 1]],
    ['null for nothing', optionalSchema(named), null],
    ['an object with a field too many', pair, { a: 1, c: 1 }],
    ['a field named as every object has one', pair, JSON.parse('{"a":1,"__proto__":1}')],
    ['an object without a field', pair, { b: true }],
    ['a field that is only inherited', pair, Object.create({ a: 1 })],
    ['a list for an object', objectSchema({}), []],
    ['null for an object', pair, null],
    ['an unknown type', message, { type: 'other' }],
    ['a type that every object has', message, { type: 'constructor' }],
    ['an object without a type', message, { name: 'a' }],
    ['the fields of another type', message, { type: 'end', name: 'a' }],
  ])('refuses %s', (_name, schema, value) => {
    expect(() => schema(value)).toThrow(SchemaError);
    expect(readWith(schema, value)).toBeUndefined();
  });

  it('leaves out the fields of a loose object that it does not know', () => {
    const loose = looseObjectSchema<{ readonly a: number }>({ a: integerSchema(0, 10) });
    expect(loose(JSON.parse('{"a":1,"b":2,"__proto__":{"c":3},"constructor":4}'))).toStrictEqual({
      a: 1,
    });
    expect(readWith(loose, { b: 2 })).toBeUndefined();
    expect(readWith(loose, [])).toBeUndefined();
  });

  it('gives what a further reader makes of a value', () => {
    const even = parsedSchema(integerSchema(0, 10), 'even', (value) =>
      value % 2 === 0 ? String(value) : undefined,
    );
    expect(even(4)).toBe('4');
    expect(readWith(even, 3)).toBeUndefined();
    expect(readWith(even, 12)).toBeUndefined();
  });

  it('tells where, and never what was found', () => {
    const schema = objectSchema<{ readonly list: readonly Message[] }>({
      list: listSchema(message, { max: 3 }),
    });
    const value = { list: [{ type: 'end' }, { type: 'name', name: 'S3CR3T' }] };
    expect(() => schema(value)).toThrow('.list[1].name is not a text of 1 to 4 characters');
    expect(() => schema({ list: [], S3CR3T: 1 })).toThrow(
      'it is not an object of these fields and no others',
    );
  });

  it('lets through what a reader throws of its own', () => {
    const broken = parsedSchema(named, 'anything', () => {
      throw new TypeError('a bug');
    });
    expect(() => readWith(broken, 'a')).toThrow(TypeError);
  });

  it('knows the types of what it reads', () => {
    expectTypeOf(choiceSchema(['a', 'b'])).toEqualTypeOf<Schema<'a' | 'b'>>();
    expectTypeOf(listSchema(named, { max: 1 })).toEqualTypeOf<Schema<string[]>>();
  });
});
