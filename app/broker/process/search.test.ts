import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScrubber } from './scrub.ts';
import { prepareNeedles } from './needles.ts';
import { createSearch, MAX_PAUSE_BYTES } from './search.ts';

const SECRET = 'sk-real-0123456789/ABCDEFGH+ijklmnop';
const PLACEHOLDER = 'glovebox-placeholder-of-another-length-0001';

/** Sends bytes in pieces with a pause after each; gives what came through. */
const paused = (text: string, cuts: readonly number[], sameLength = false): string => {
  const bytes = Buffer.from(text, 'latin1');
  const search = createScrubber([{ secret: SECRET, placeholder: PLACEHOLDER }]).stream(sameLength);
  const ends = [...new Set(cuts.map((at) => at % (bytes.length + 1)))].toSorted((a, b) => a - b);
  const out: Buffer[] = [];
  let from = 0;
  for (const end of [...ends, bytes.length]) {
    out.push(...search.push(bytes.subarray(from, end)).out);
    if (search.pause !== undefined) out.push(...search.pause().out);
    from = end;
  }
  out.push(...search.end().out);
  return Buffer.concat(out).toString('latin1');
};

const cuts = fc.array(fc.nat(200), { maxLength: 20 });
const filler = fc.string({ maxLength: 20 }).filter((text) => !text.includes('s'));

describe('a search that is told of pauses', () => {
  it('never lets more of a secret through than its first few letters', () => {
    fc.assert(
      fc.property(filler, filler, cuts, (before, after, at) => {
        const text = Buffer.from(`${before}${SECRET}${after}`).toString('latin1');
        const came = paused(text, at);
        const early = Array.from({ length: MAX_PAUSE_BYTES + 1 }, (_, length) =>
          text.replace(SECRET, `${SECRET.slice(0, length)}${PLACEHOLDER.slice(length)}`),
        );
        expect(early).toContain(came);
      }),
      { seed: 41, numRuns: 3000 },
    );
  });

  it('leaves all else as it is', () => {
    const almost = fc.constantFrom(
      SECRET.slice(0, -1),
      SECRET.slice(1),
      's',
      'sk',
      'sk-r',
      'sk-re',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(almost, filler), { maxLength: 8 }), cuts, (parts, at) => {
        const text = Buffer.from(parts.join('|')).toString('latin1');
        expect(paused(text, at)).toBe(text);
      }),
      { seed: 42, numRuns: 3000 },
    );
  });

  it('lets a short beginning go, and no long one', () => {
    const search = createScrubber([{ secret: SECRET, placeholder: PLACEHOLDER }]).stream();
    expect(Buffer.concat(search.push(Buffer.from('yes')).out).toString()).toBe('ye');
    expect(search.holds?.()).toBe(true);
    expect(Buffer.concat(search.pause?.().out ?? []).toString()).toBe('s');
    expect(Buffer.concat(search.push(Buffer.from('k-real-')).out).toString()).toBe('');
    expect(Buffer.concat(search.pause?.().out ?? []).toString()).toBe('');
  });

  it('keeps lengths where they are counted', () => {
    const text = `a ${SECRET} b`;
    expect(paused(text, [], true)).toHaveLength(text.length);
    expect(paused(text, [], true)).not.toContain(SECRET.slice(0, 8));
  });
});

describe('a search for bytes as they are', () => {
  /** The leftmost, then longest one is taken, place by place. */
  const replaced = (text: string, words: readonly string[]): string => {
    let out = '';
    for (let at = 0; at < text.length;) {
      const [word] = words
        .filter((one) => text.startsWith(one, at))
        .toSorted((a, b) => b.length - a.length);
      out += word === undefined ? text[at] : `<${String(words.indexOf(word))}>`;
      at += word?.length ?? 1;
    }
    return out;
  };

  const letters = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength, maxLength });

  it.each([2, 3, 4, 9])('finds all that has %i bytes or more, wherever it is cut', (shortest) => {
    fc.assert(
      fc.property(
        fc.uniqueArray(letters(shortest, shortest + 6), { minLength: 1, maxLength: 6 }),
        fc.array(fc.oneof(letters(0, 9), fc.nat(5)), { maxLength: 12 }),
        cuts,
        (words, parts, at) => {
          const text = parts
            .map((part) => (typeof part === 'number' ? (words[part] ?? 'c') : part))
            .join('');
          const search = createSearch(
            prepareNeedles(
              words.map((word, owner) => ({
                find: Buffer.from(word),
                replace: () => Buffer.from(`<${String(owner)}>`),
                owner,
                escapes: false,
                wraps: false,
              })),
            ),
          );
          const ends = [...at.map((end) => end % (text.length + 1)), text.length];
          let from = 0;
          let out = '';
          for (const end of ends.toSorted((a, b) => a - b)) {
            out += Buffer.concat(search.push(Buffer.from(text.slice(from, end))).out).toString();
            from = end;
          }
          out += Buffer.concat(search.end().out).toString();
          expect(out).toBe(replaced(text, words));
        },
      ),
      { seed: 43, numRuns: 3000 },
    );
  });
});
