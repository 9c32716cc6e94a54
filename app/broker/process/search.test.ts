import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MIN_CHARS_BEFORE_BREAK } from './match-needle.ts';
import { prepareNeedles, type Needle } from './needles.ts';
import { createSearch } from './search.ts';
import { needlesOf } from './secret-forms.ts';
import { bytesOf, endOf, isEscape, MAX_LAYERS, readCharacter, valueOf } from './spelling.ts';

const PAIRS = [
  { secret: 'sk-real-0123/AB+yz', placeholder: 'fake-placeholder-0001' },
  { secret: 'sk-real-0123/AB+yz-and-more', placeholder: 'fake-placeholder-0002' },
  { secret: 'aaaaaaaaab', placeholder: 'fake-aaab-placeholder' },
  { secret: 'p&q "x" \\u0041%41é', placeholder: 'fake-placeholder-0004' },
];
const NEEDLES = PAIRS.flatMap(needlesOf);
const PREPARED = prepareNeedles(NEEDLES);

/** Where a needle ends that begins at `at`: every way of reading is tried, nothing is remembered. */
const slowMatch = (needle: Needle, index: number, data: Buffer, at: number): number => {
  const { find, escapes, wraps } = needle;
  if (index === find.length) return at;
  if (at >= data.length) return -1;
  let best = -1;
  const tried = new Set<number>();
  for (let layers = escapes ? MAX_LAYERS : 0; layers >= 0; layers -= 1) {
    const read = readCharacter(data, at, layers, true);
    if (read < 0 || tried.has(read)) continue;
    tried.add(read);
    const bytes = bytesOf(valueOf(read));
    if (find.subarray(index, index + bytes.length).equals(bytes)) {
      best = Math.max(best, slowMatch(needle, index + bytes.length, data, endOf(read)));
    }
  }
  if (best >= 0 || !wraps || index === 0) return best;
  const lineBreak = /^(?:(?:\r\n|\r|\n|\\r\\n|\\n|%0[dD]%0[aA]|%0[aA])[ \t]*){1,2}/.exec(
    data.toString('latin1', at, at + 160),
  );
  return lineBreak === null ? -1 : slowMatch(needle, index, data, at + lineBreak[0].length);
};

/** What a scrubber must give, found place by place. */
const slowScrub = (data: Buffer): { out: Buffer; owners: number[] } => {
  const list = PREPARED.list;
  const out: Buffer[] = [];
  const owners: number[] = [];
  let at = 0;
  while (at < data.length) {
    let taken: { needle: Needle; end: number } | undefined;
    for (const needle of list) {
      const end = slowMatch(needle, 0, data, at);
      if (end > (taken?.end ?? -1)) taken = { needle, end };
    }
    if (taken === undefined) {
      out.push(data.subarray(at, at + 1));
      at += 1;
    } else {
      out.push(taken.needle.replace(data.subarray(at, taken.end)));
      owners.push(taken.needle.owner);
      at = taken.end;
    }
  }
  return { out: Buffer.concat(out), owners };
};

const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
};

const scrub = (bytes: Buffer, places: readonly number[]): { out: Buffer; owners: number[] } => {
  const search = createSearch(PREPARED);
  const steps = [...cut(bytes, places).map((part) => search.push(part)), search.end()];
  return {
    out: Buffer.concat(steps.flatMap((step) => step.out)),
    owners: steps.flatMap((step) => step.hits.map(({ owner }) => owner)),
  };
};

const hex = (byte: number, width: number): string => byte.toString(16).padStart(width, '0');
const upper = (text: string): string => text.toUpperCase();
/** Ways to write one ASCII character. */
const SPELLINGS: readonly ((character: string) => string)[] = [
  (c) => c,
  (c) => `%${hex(c.charCodeAt(0), 2)}`,
  (c) => `%${upper(hex(c.charCodeAt(0), 2))}`,
  (c) => `%25${hex(c.charCodeAt(0), 2)}`,
  (c) => String.raw`\u${hex(c.charCodeAt(0), 4)}`,
  (c) => String.raw`\u${upper(hex(c.charCodeAt(0), 4))}`,
  (c) => String.raw`\\u${hex(c.charCodeAt(0), 4)}`,
  (c) => String.raw`\x${hex(c.charCodeAt(0), 2)}`,
  (c) => (c === '/' ? String.raw`\/` : c),
  (c) => `&#${String(c.charCodeAt(0))};`,
  (c) => `&#x${hex(c.charCodeAt(0), 6)};`,
  (c) => `&#0${String(c.charCodeAt(0))};`,
  (c) => ({ '&': '&amp;', '"': '&quot;', '+': '&plus;', '/': '&sol;' })[c] ?? c,
  (c) => `%5Cu${hex(c.charCodeAt(0), 4)}`,
  (c) => `&amp;#${String(c.charCodeAt(0))};`,
];

const secretOf = fc.constantFrom(...PAIRS.slice(0, 3).map(({ secret }) => secret));
/** A secret with each character written in a way of its own. */
const mixed = fc
  .tuple(
    secretOf,
    fc.array(fc.nat(SPELLINGS.length - 1), { minLength: 30, maxLength: 30 }),
    fc.double({ min: 0, max: 1, noNaN: true }),
  )
  .map(([secret, choices, share]) =>
    Array.from(secret, (c, index) => {
      const choice = choices[index] ?? 0;
      return (choice / SPELLINGS.length < share ? SPELLINGS[choice]?.(c) : c) ?? c;
    }).join(''),
  );
const wrapped = fc
  .tuple(
    secretOf,
    fc.uint8Array({ maxLength: 4 }),
    fc.uint8Array({ maxLength: 4 }),
    fc.integer({ min: 1, max: 80 }),
    fc.constantFrom('\n', '\r\n', String.raw`\n`, String.raw`\r\n`, '\n    '),
    fc.constantFrom<BufferEncoding>('base64', 'base64url', 'hex'),
  )
  .map(([secret, before, after, width, lineBreak, encoding]) =>
    (
      Buffer.concat([before, Buffer.from(secret), after])
        .toString(encoding)
        .match(new RegExp(`.{1,${String(width)}}`, 'g')) ?? []
    ).join(lineBreak),
  );
const piece = fc.oneof(
  { weight: 3, arbitrary: mixed },
  { weight: 2, arbitrary: wrapped },
  fc.constantFrom(...PAIRS.map(({ secret }) => secret)),
  fc.tuple(mixed, fc.nat(80)).map(([text, length]) => text.slice(0, length)),
  fc.tuple(mixed, fc.nat(20)).map(([text, from]) => text.slice(from)),
  fc.string({ maxLength: 12 }),
  fc.constantFrom(
    'a',
    'aaaa',
    's',
    '%',
    '%2',
    '\\',
    '\\u00',
    '&',
    '&#',
    '&am',
    '\n',
    '\r\n',
    '%25',
  ),
);
const places = fc.array(fc.nat(600), { maxLength: 12 });

describe('a search', () => {
  it('finds what a look at every place finds, wherever the chunks are cut', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), places, (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        const expected = slowScrub(bytes);
        const { out, owners } = scrub(bytes, cuts);
        expect(owners).toEqual(expected.owners);
        expect(out.length).toBe(expected.out.length);
        // The first letters of a wrapped secret may have gone before a line break told that it is one.
        const different = out.filter((byte, index) => byte !== expected.out[index]).length;
        expect(different).toBeLessThanOrEqual(owners.length * (MIN_CHARS_BEFORE_BREAK - 1));
        const whole = scrub(bytes, []);
        expect(whole.out.toString('latin1')).toBe(expected.out.toString('latin1'));
      }),
      { numRuns: 4000 },
    );
  });

  it('finds a secret with any mix of escapes in it', () => {
    fc.assert(
      fc.property(mixed, places, (text, cuts) => {
        expect(scrub(Buffer.from(`<${text}>`), cuts).owners).toHaveLength(1);
      }),
      { numRuns: 3000 },
    );
  });

  it('leaves near-misses as they are', () => {
    fc.assert(
      fc.property(mixed, fc.nat(), places, (text, where, cuts) => {
        const at = where % text.length;
        const bytes = Buffer.from(`${text.slice(0, at)}!${text.slice(at)}`);
        const { out, owners } = scrub(bytes, cuts);
        expect(owners).toEqual(slowScrub(bytes).owners);
        expect(owners.length > 0 || out.equals(bytes)).toBe(true);
      }),
      { numRuns: 1500 },
    );
  });

  it('leaves random bytes as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 3000 }), places, (bytes, cuts) => {
        expect(scrub(Buffer.from(bytes), cuts).out.equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it.each(PAIRS.map(({ secret }) => [secret]))('finds %s over every cut', (secret) => {
    const json = JSON.stringify({ key: secret });
    const forms = [
      secret,
      json,
      JSON.stringify(json),
      encodeURIComponent(secret),
      encodeURIComponent(json),
      encodeURIComponent(encodeURIComponent(secret)),
      new URLSearchParams({ secret }).toString(),
      Buffer.from(`x:${secret}`).toString('base64'),
      Buffer.from(secret).toString('hex').toUpperCase(),
      (Buffer.from(secret).toString('hex').match(/../g) ?? []).join(':'),
      Buffer.from(secret, 'utf16le'),
    ];
    for (const form of forms) {
      const bytes = Buffer.concat([
        Buffer.from('> '),
        Buffer.from(form as string),
        Buffer.from(' <'),
      ]);
      for (let at = 0; at <= bytes.length; at += 1) {
        const { out, owners } = scrub(bytes, [at]);
        expect(owners).toHaveLength(1);
        expect(out.includes(secret)).toBe(false);
      }
    }
  });

  it('holds nothing that is not the beginning of something looked for', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), (parts) => {
        const bytes = Buffer.from(parts.join(''));
        const search = createSearch(PREPARED);
        const { out, hits } = search.push(bytes);
        if (hits.length > 0) return;
        const held = bytes.subarray(Buffer.concat(out).length);
        if (held.length === 0) return;
        // An escape that is cut off may become any character.
        const tail = /(?:%|\\|&)[^%\\&]{0,8}$/.test(held.toString('latin1'));
        const begins = NEEDLES.some((needle) => {
          const [first = 0] = needle.find;
          const read = readCharacter(held, 0, MAX_LAYERS, true);
          return held[0] === first || (needle.escapes && bytesOf(valueOf(read))[0] === first);
        });
        expect(begins || (tail && isEscape(held[0] ?? 0))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });
});
