import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../kit/index.ts';
import { buildGrant } from '../../policy/index.ts';
import {
  createCredentialBook,
  MAX_HELD_CREDENTIALS,
  type CredentialBook,
} from './credential-book.ts';
import type { HeldCredential } from './inject.ts';
import type { Search } from './search.ts';

const held = (name: string, secret: string): HeldCredential => ({
  grant: unwrap(buildGrant({ name, kind: 'bearer', hosts: [], addedAt: '' }, ['api.test'])),
  secret,
});

describe('a credential book', () => {
  it('scrubs and trips over what was added while the session runs', () => {
    const book = createCredentialBook([held('first', 'first-secret-0123456789')]);
    const minted = held('minted', 'minted-secret-0123456789');
    expect(book.scrubber().text(minted.secret).hits).toBe(0);
    expect(book.textTrip(minted.grant.placeholder)).toBeUndefined();
    expect(book.add(minted).ok).toBe(true);
    expect(book.scrubber().text(`${minted.secret} first-secret-0123456789`).hits).toBe(2);
    expect(book.textTrip(`x ${minted.grant.placeholder}`)).toEqual({
      type: 'placeholder',
      grant: minted.grant,
    });
    const [hit] = book.bodyTrip().push(Buffer.from(minted.grant.placeholder)).hits;
    expect(hit === undefined ? undefined : book.findingOf(hit)).toEqual({
      type: 'placeholder',
      grant: minted.grant,
    });
  });

  it('knows a token that took another’s place, and no longer the other', () => {
    const [first, old, fresh] = ['first', 'old', 'fresh'].map((name) =>
      held(name, `${name}-secret-0123456789`),
    ) as [HeldCredential, HeldCredential, HeldCredential];
    const book = createCredentialBook([first, old]);
    expect(book.scrubber().text(old.secret).hits).toBe(1);
    expect(book.textTrip(old.grant.placeholder)).toBeDefined();
    expect(book.nameTrip(`${old.grant.placeholder}.test`)).toBeDefined();
    book.replace(old.grant, fresh);
    const found = { type: 'placeholder', grant: fresh.grant };
    expect(book.scrubber().text(`${fresh.secret} ${old.secret}`).hits).toBe(1);
    expect(book.textTrip(fresh.grant.placeholder)).toEqual(found);
    expect(book.nameTrip(`${fresh.grant.placeholder}.test`)).toEqual(found);
    const [hit] = book.bodyTrip().push(Buffer.from(fresh.grant.placeholder)).hits;
    expect(hit === undefined ? undefined : book.findingOf(hit)).toEqual(found);
    expect(book.textTrip(old.grant.placeholder)).toBeUndefined();
    expect(book.nameTrip(`${old.grant.placeholder}.test`)).toBeUndefined();
  });

  it('refuses a placeholder that it knows, and more credentials than its cap', () => {
    const first = held('first', 'first-secret-0123456789');
    const book = createCredentialBook([first]);
    expect(book.add(first)).toMatchObject({ ok: false, error: { code: 'credential.exists' } });
    for (let count = 1; count < MAX_HELD_CREDENTIALS; count += 1) {
      expect(book.add(held(`c${String(count)}`, `secret-number-${String(count)}`)).ok).toBe(true);
    }
    expect(book.add(held('one-more', 'one-more-secret'))).toMatchObject({
      ok: false,
      error: { code: 'egress.too-many' },
    });
    expect(book.held()).toHaveLength(MAX_HELD_CREDENTIALS);
  });
});

describe('a book that grows token by token', () => {
  const letters = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
    fc.string({
      unit: fc.constantFrom('a', 'A', 'b', 'B', '0', '1', '-', '_', '.'),
      minLength,
      maxLength,
    });
  const secret = fc.oneof(
    letters(12, 24),
    letters(12, 24).map((text) => `gho_same-beginning-${text}`),
    letters(6, 12).map((text) => `a%${text}\\u${text}&b`),
    letters(270, 300),
    // Of a few only, so that some come twice.
    fc.constantFrom('the-first-token-0123456789', 'the-second-token-012345678'),
  );
  const SPELLINGS: readonly ((text: string) => string)[] = [
    (text) => text,
    (text) => text.slice(0, -2),
    (text) => Buffer.from(text).toString('base64'),
    (text) => Buffer.from(`x${text}`).toString('base64url'),
    (text) => Buffer.from(text).toString('hex'),
    (text) => Buffer.from(text).toString('hex').replaceAll(/../g, '%$&'),
    (text) => JSON.stringify(text).replaceAll('a', String.raw`\u0061`),
    (text) => Buffer.from(text).toString('base64').replaceAll(/.{12}/g, '$&\r\n'),
  ];
  const token = (text: string, count: number): HeldCredential => {
    const own = createHash('sha256')
      .update(`${String(count)} ${text}`)
      .digest('base64url');
    const placeholder = `gho_${own}`;
    const { grant } = held(`c${String(count)}`, text);
    return {
      grant: { ...grant, placeholder, parts: [{ name: 'value', placeholder, env: [] }] },
      secret: text,
    };
  };
  const through = (search: Search, parts: readonly Buffer[]): { out: string; hits: number[] } => {
    const steps = [...parts.map((part) => search.push(part)), search.end()];
    return {
      out: Buffer.concat(steps.flatMap(({ out }) => out)).toString('latin1'),
      hits: steps.flatMap(({ hits }) => hits.map(({ owner }) => owner)),
    };
  };
  const looks = (book: CredentialBook, text: string): unknown => ({
    text: book.scrubber().text(text),
    found: book.textTrip(text),
    name: book.nameTrip(text),
    body: through(book.bodyTrip(), [Buffer.from(text)]),
  });

  it('finds what one made at once finds, wherever the text is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ secret, place: fc.option(fc.nat(5)), looked: fc.boolean() }), {
          minLength: 1,
          maxLength: 6,
        }),
        fc.array(
          fc.oneof(
            letters(0, 6),
            fc.record({
              which: fc.nat(5),
              placeholder: fc.boolean(),
              spelling: fc.nat(SPELLINGS.length - 1),
            }),
          ),
          { maxLength: 5 },
        ),
        (steps, written) => {
          const tokens = steps.map((step, count) => token(step.secret, count));
          const text = written
            .map((part) => {
              if (typeof part === 'string') return part;
              const { grant, secret: plain } = tokens[part.which % tokens.length] as HeldCredential;
              return SPELLINGS[part.spelling]?.(part.placeholder ? grant.placeholder : plain);
            })
            .join('');
          const grown = createCredentialBook([]);
          for (const [at, { place, looked }] of steps.entries()) {
            const next = tokens[at] as HeldCredential;
            const there = grown.held();
            const old = place === null ? undefined : there[place % Math.max(1, there.length)];
            if (old === undefined) unwrap(grown.add(next));
            else grown.replace(old.grant, next);
            // What was looked for before may stay in no memory of what is looked for.
            if (looked) looks(grown, text);
          }
          const whole = createCredentialBook(
            grown.held().map(({ grant, secret: plain }) => ({
              grant: { ...grant, parts: grant.parts.map((part) => ({ ...part })) },
              secret: plain,
            })),
          );
          expect(looks(grown, text)).toEqual(looks(whole, text));
          const bytes = Buffer.from(text);
          const sought = grown.held().map(({ secret: plain }) => plain);
          const differing: unknown[] = [];
          for (let cut = 0; cut <= bytes.length; cut += 1) {
            const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
            const told = [grown, whole].map((book) => [
              through(book.scrubber().stream(), parts),
              through(book.bodyTrip(), parts),
            ]);
            // Compared here, for there are thousands: what differs is shown below.
            if (!isDeepStrictEqual(told[0], told[1])) differing.push({ cut, told });
            const out = told[0]?.[0]?.out ?? '';
            if (sought.some((plain) => out.includes(plain))) differing.push({ cut, told });
          }
          expect(differing).toEqual([]);
        },
      ),
      { seed: 44, numRuns: 60 },
    );
  });
});
