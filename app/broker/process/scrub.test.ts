import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cpuTimeMs } from '../../kit/testing/cpu-time.ts';
import { createScrubber } from './scrub.ts';
import { MIN_SOUGHT_BYTES } from './secret-forms.ts';

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

describe('a secret that is made of what escapes are made of', () => {
  const rest = 'Zq7Xw2Lm9Kc4';
  const scrubberOf = (secret: string) =>
    createScrubber([{ secret, placeholder: 'placeholder-0123456789' }]);

  // Each took from ten seconds to minutes where each place was read anew from each letter before it.
  it.each([
    ['backslashes first', '\\'.repeat(8) + rest, '\\'.repeat(10_000)],
    ['nearly too many backslashes', '\\'.repeat(23) + rest, '\\'.repeat(5000)],
    ['backslashes alone', '\\'.repeat(200), '\\'.repeat(50_000)],
  ])('is looked for in a moment in nothing but that: %s', (_what, secret, text) => {
    const search = scrubberOf(secret).stream();
    const spent = cpuTimeMs(() => {
      search.push(Buffer.from(text));
      search.end();
    });
    expect(spent).toBeLessThan(5000);
  });

  it.each(['\\', '%25', '&amp;', String.raw`\u005c`])(
    'is found however it is spelt: %s',
    (part) => {
      for (const secret of [part.repeat(12), `ab${part}${part}${rest}`, `${rest}${part}`]) {
        const every = (spell: (hex: string) => string): string =>
          Array.from(Buffer.from(secret), (byte) => spell(byte.toString(16).padStart(2, '0'))).join(
            '',
          );
        for (const spelt of [
          secret,
          JSON.stringify(secret).slice(1, -1),
          encodeURIComponent(encodeURIComponent(secret)),
          every((hex) => `%${hex}`),
          every((hex) => `\\u00${hex}`),
          every((hex) => `&#x${hex};`),
          secret.slice(0, 3) + encodeURIComponent(secret.slice(3)),
        ]) {
          for (const at of [0, 1, 7, spelt.length - 1]) {
            const search = scrubberOf(secret).stream();
            const bytes = Buffer.from(`<${spelt}>`);
            const steps = [
              search.push(bytes.subarray(0, at)),
              search.push(bytes.subarray(at)),
              search.end(),
            ];
            const out = Buffer.concat(steps.flatMap((step) => step.out)).toString();
            expect([spelt, at, out.includes('placeholder-0123456789'), out.includes(rest)]).toEqual(
              [spelt, at, true, false],
            );
          }
        }
      }
    },
  );
});

it.each(['x', 'é', '\n'.repeat(40), 'a'.repeat(MIN_SOUGHT_BYTES - 1)])(
  'looks for no secret too short to be told from words, and for the others still: %j',
  (short) => {
    const secret = 'sk-real-0123456789';
    const scrubber = createScrubber([
      { secret: short, placeholder: 'placeholder-of-a-short-one' },
      { secret, placeholder: 'placeholder-0123456789' },
    ]);
    expect(scrubber.text(`${short} ${secret}`)).toEqual({
      text: Buffer.from(`${short} placeholder-0123456789`, 'latin1').toString('latin1'),
      hits: 1,
    });
  },
);
