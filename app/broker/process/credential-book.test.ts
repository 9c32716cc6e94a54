import { describe, expect, it } from 'vitest';
import { unwrap } from '../../kit/index.ts';
import { buildGrant } from '../../policy/index.ts';
import { createCredentialBook, MAX_HELD_CREDENTIALS } from './credential-book.ts';
import type { HeldCredential } from './inject.ts';

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
