import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScrubber } from './scrub.ts';

const PAIRS = [
  {
    secret: 'sk-real-0123456789/ABCDEFGH+ijklmnop',
    placeholder: 'glovebox-placeholder-of-another-length-0001',
  },
  { secret: 'sk-real-0123456789', placeholder: 'short-placeholder-2' },
  { secret: 'aaaaaaaaab', placeholder: 'fake-aaab' },
];
const [FIRST] = PAIRS;

/** Cuts bytes at the given places. */
const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted(
    (a, b) => a - b,
  );
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
};

const run = (bytes: Buffer, places: readonly number[]): { out: Buffer; hits: number } => {
  const search = createScrubber(PAIRS).stream();
  const steps = [...cut(bytes, places).map((part) => search.push(part)), search.end()];
  return {
    out: Buffer.concat(steps.flatMap((step) => step.out)),
    hits: steps.reduce((sum, step) => sum + step.hits.length, 0),
  };
};

const piece = fc.oneof(
  fc.constantFrom(...PAIRS.map((pair) => pair.secret)),
  fc.constantFrom(...PAIRS.map((pair) => pair.secret.slice(0, -1))),
  fc.constantFrom(...PAIRS.map((pair) => pair.secret.slice(1))),
  fc.string({ maxLength: 12 }),
  fc.constantFrom('a', 'aaaa', 's', 'sk-real-'),
);
const places = fc.array(fc.nat(400), { maxLength: 12 });

describe('the scrubber', () => {
  it('finds what a search of the whole finds, wherever the chunks are cut', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 10 }), places, (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''));
        expect(run(bytes, cuts)).toEqual(run(bytes, []));
        for (const { secret } of PAIRS) expect(run(bytes, cuts).out.includes(secret)).toBe(false);
      }),
      { numRuns: 3000 },
    );
  });

  it('lets no base64 of a secret through, at any offset, padding or cut', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 7 }),
        fc.uint8Array({ maxLength: 7 }),
        places,
        fc.boolean(),
        (before, after, cuts, urlSafe) => {
          const encoded = Buffer.concat([before, Buffer.from(FIRST?.secret ?? ''), after]).toString(
            urlSafe ? 'base64url' : 'base64',
          );
          const { out, hits } = run(Buffer.from(`{"k":"${encoded}"}`), cuts);
          expect(hits).toBeGreaterThan(0);
          const inner = out.toString().slice(6, -2);
          expect(Buffer.from(inner, 'base64').includes((FIRST?.secret ?? '').slice(3, -3))).toBe(
            false,
          );
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('leaves all other bytes as they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 600 }), places, (bytes, cuts) => {
        expect(run(Buffer.from(bytes), cuts).out.equals(Buffer.from(bytes))).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('holds nothing back that cannot become a secret', () => {
    const search = createScrubber(PAIRS).stream();
    const event = Buffer.from('data: {"text":"ordinary words"}\n\n');
    expect(Buffer.concat(search.push(event).out).equals(event)).toBe(true);
    expect(Buffer.concat(search.push(Buffer.from('xx sk-re')).out).toString()).toBe('xx ');
  });

  it('replaces percent-encoded and JSON-escaped forms', () => {
    const scrubber = createScrubber(PAIRS);
    const secret = FIRST?.secret ?? '';
    for (const form of [
      encodeURIComponent(secret),
      encodeURIComponent(secret).toLowerCase().replace('abcdefgh', 'ABCDEFGH'),
      secret.replaceAll('/', '\\/'),
    ]) {
      expect(scrubber.text(`<${form}>`)).toEqual({
        text: `<${FIRST?.placeholder ?? ''}>`,
        hits: 1,
      });
    }
  });

  it('does nothing where there are no secrets', () => {
    const scrubber = createScrubber([]);
    expect([scrubber.active, scrubber.changesLength]).toEqual([false, false]);
    expect(scrubber.text('x')).toEqual({ text: 'x', hits: 0 });
  });
});

it('finds base64 of both alphabets at each alignment', () => {
  // Its base64 has a plus and a slash at each alignment, which the other alphabet writes otherwise.
  const secret = 'a~~~?>?>~?~>~>>b~~~?>?>~?~>~>>c';
  const scrubber = createScrubber([{ secret, placeholder: 'placeholder-0123456789' }]);
  for (const before of ['', 'x', 'xx']) {
    for (const alphabet of ['base64', 'base64url'] as const) {
      const text = Buffer.from(`${before}${secret}`).toString(alphabet);
      expect(/[+/_-]/.test(text)).toBe(true);
      expect(scrubber.text(text).hits).toBeGreaterThan(0);
    }
  }
});
