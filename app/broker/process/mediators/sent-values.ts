import { ok, type Result } from '../../../kit/index.ts';
import type { CredentialGrant } from '../../../policy/index.ts';
import type { CredentialBook } from '../credential-book.ts';
import type { Refusal } from '../refuse.ts';
import { mintLike } from './minted-token.ts';

/** Most values of one maker that are known after they went out: each more makes every search dearer. Beyond it the oldest is forgotten. */
export const MAX_SENT_VALUES = 32;

/** A grant for a value that is only looked for: it has no site, so nothing inside ever becomes the value. */
export const soughtOnly = (parent: CredentialGrant, placeholder: string): CredentialGrant => ({
  ...parent,
  kind: 'bearer',
  sites: [],
  placeholder,
  env: [],
  parts: [{ name: 'value', placeholder, env: [] }],
  files: [],
});

/**
 * Makes known to the book what goes out in a credential's stead, such as a token that is signed with
 * its key: it is as good as the credential for a while, and an echo of it is scrubbed like one.
 */
export type KnowSent = (parent: CredentialGrant, value: string) => Result<void, Refusal>;

export const createKnowSent = (book: CredentialBook): KnowSent => {
  let sent: readonly { readonly value: string; readonly grant: CredentialGrant }[] = [];
  return (parent, value) => {
    if (sent.some((other) => other.value === value)) return ok(undefined);
    const grant = soughtOnly(parent, mintLike(value));
    const [oldest, ...younger] = sent;
    const full = oldest !== undefined && sent.length >= MAX_SENT_VALUES;
    if (full) {
      book.replace(oldest.grant, { grant, secret: value });
    } else {
      const added = book.add({ grant, secret: value });
      if (!added.ok) return added;
    }
    sent = [...(full ? younger : sent), { value, grant }];
    return ok(undefined);
  };
};
