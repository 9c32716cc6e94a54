import { array, assert, dictionary, integer, jsonValue, property, string } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../kit/index.ts';
import { cpuTimeMs } from '../../../kit/testing/cpu-time.ts';
import { findJsonString, MAX_JSON_DEPTH } from './json-string.ts';

const at = (text: string, pointer: string): string | undefined => {
  const found = unwrap(findJsonString(text, pointer));
  return found === undefined ? undefined : text.slice(found.from, found.to);
};

describe('a string in JSON', () => {
  it.each([
    ['{"a":"x"}', '/a', '"x"'],
    ['{ "a" : { "b" : [ 1 , "x" ] } }', '/a/b/1', '"x"'],
    ['["x","y"]', '/1', '"y"'],
    ['[["x"],["y"]]', '/1/0', '"y"'],
    ['[{"a":"x"},{"a":"y"}]', '/1/a', '"y"'],
    ['{"a/b":{"c~d":"x"}}', '/a~1b/c~0d', '"x"'],
    ['{"a":{"b":"no"},"b":"x"}', '/b', '"x"'],
    ['{"a":"b","b":"x"}', '/b', '"x"'],
    ['{"a":"\\\\","b":"\\"x\\\\\\""}', '/b', '"\\"x\\\\\\""'],
    ['{"\\u0061":"x"}', '/a', '"x"'],
    ['{"a":{"a":"x"}}', '/a', undefined],
    ['{"a":1}', '/a', undefined],
    ['{"a":["x"]}', '/a', undefined],
    ['"x"', '/a', undefined],
    ['{}', '/a', undefined],
  ])('%s at %s', (text, pointer, expected) => {
    expect(at(text, pointer)).toBe(expected);
  });

  it('says what the string says', () => {
    const found = unwrap(findJsonString('{"a":"\\u0078\\n"}', '/a'));
    expect(found?.value).toBe('x\n');
  });

  it.each([
    ['{"a":"x","a":"y"}', 'a key twice'],
    ['{"a":"x","A":"y"}', 'a key in two cases'],
    ['{"a":"x","\\u0061":"y"}', 'a key twice, once escaped'],
    ['{"b":{"c":1,"c":2},"a":"x"}', 'a key twice elsewhere'],
    ['{"a":"x"', 'an open object'],
    ['{"a":"x"}}', 'more than one value'],
    ['\u{FEFF}{"a":"x"}', 'a byte order mark'],
    [`${'['.repeat(MAX_JSON_DEPTH + 1)}${']'.repeat(MAX_JSON_DEPTH + 1)}`, 'too deep a nesting'],
  ])('refuses %s: %s', (text) => {
    expect(findJsonString(text, '/a').ok).toBe(false);
  });

  it('takes time in proportion to the length', () => {
    const long = 4 * 1024 * 1024;
    const text = JSON.stringify({ b: '\\'.repeat(long), c: '"'.repeat(long), a: 'x' });
    const spent = cpuTimeMs(() => expect(at(text, '/a')).toBe('"x"'));
    expect(spent).toBeLessThan(2000);
  });

  it('finds what a reader finds, in whatever JSON', () => {
    const escape = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');
    assert(
      property(
        jsonValue({ maxDepth: 4 }),
        array(string({ maxLength: 4 }), { minLength: 1, maxLength: 4 }),
        string(),
        integer({ min: 0, max: 2 }),
        dictionary(string({ minLength: 5, maxLength: 6 }), jsonValue(), { maxKeys: 3 }),
        (other, path, value, indent, around) => {
          // The wanted string, wrapped in objects; beside it on each level something else.
          let whole: unknown = value;
          for (const part of path.toReversed()) whole = { ...around, [part]: whole };
          const text = JSON.stringify([other, whole], null, indent);
          const found = findJsonString(text, `/1/${path.map(escape).join('/')}`);
          // Keys that differ in case alone are refused, and `__proto__` is none after `JSON.stringify`.
          if (!found.ok || path.includes('__proto__')) return;
          expect(found.value?.value).toBe(value);
          expect(text.slice(found.value?.from, found.value?.to)).toBe(JSON.stringify(value));
        },
      ),
      { seed: 20_260_301, numRuns: 500 },
    );
  });
});
