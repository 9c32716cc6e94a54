import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { MAX_SECRET_CHARS, Name } from '../contract/index.ts';
import { fail, ok, Secret, type Result } from '../kit/index.ts';
import { MAX_CREDENTIALS } from './catalog.ts';
import type { GetPassphrase } from './passphrase.ts';
import type { VaultFailure } from './port.ts';
import { readPrivate, replacePrivate } from './private-file.ts';
import {
  createKeyMemory,
  deriveKeys,
  MAX_SEALED_BYTES,
  seal,
  unseal,
  type DeriveKeys,
} from './sealed-file.ts';
import type { SecretStore } from './store.ts';

const Content = z.strictObject({
  version: z.literal(1),
  secrets: z
    .array(z.strictObject({ name: Name, secret: z.string().max(MAX_SECRET_CHARS) }))
    .max(MAX_CREDENTIALS),
});
type Content = z.infer<typeof Content>;

export const sealedPath = (folder: string): string => join(folder, 'sealed.json');

const failed = (doing: string, thrown: unknown): Result<never, VaultFailure> => {
  const why = thrown instanceof Error ? thrown.message : 'the system refuses';
  return fail('vault.failed', `The sealed vault cannot be ${doing}: ${why}.`);
};

/** Secrets in one file, sealed by a passphrase. Writers must hold the vault's lock. */
export const createSealedStore = (
  folder: string,
  getPassphrase: GetPassphrase,
  deriveAnew: DeriveKeys = deriveKeys,
): SecretStore & { readonly create: () => Promise<Result<void, VaultFailure>> } => {
  const path = sealedPath(folder);
  // Kept for later writes, each of which needs a fresh key; forgotten when it turns out wrong.
  let passphrase: Secret | undefined;
  const derive = createKeyMemory(deriveAnew);

  const openWith = async (purpose: 'create' | 'open'): Promise<Result<Secret, VaultFailure>> => {
    if (passphrase !== undefined) return ok(passphrase);
    const got = await getPassphrase(purpose);
    if (got.ok) passphrase = got.value;
    return got;
  };

  const read = async (): Promise<Result<{ content: Content; key: Secret }, VaultFailure>> => {
    let sealed: string | undefined;
    try {
      sealed = await readPrivate(path, MAX_SEALED_BYTES);
    } catch (thrown) {
      return failed('read', thrown);
    }
    const key = await openWith(sealed === undefined ? 'create' : 'open');
    if (!key.ok) return key;
    if (sealed === undefined) return ok({ content: { version: 1, secrets: [] }, key: key.value });
    let text: Result<string, VaultFailure>;
    try {
      text = await unseal(sealed, key.value, derive);
    } catch (thrown) {
      return failed('opened', thrown);
    }
    if (!text.ok) {
      if (text.error.code === 'vault.passphrase') passphrase = undefined;
      return text;
    }
    try {
      return ok({ content: Content.parse(JSON.parse(text.value)), key: key.value });
    } catch {
      // Said without the parser's words, which could quote a secret.
      return fail('vault.failed', 'The sealed vault holds something this version cannot read.');
    }
  };

  const change = async (
    edit: (secrets: Content['secrets']) => Content['secrets'],
  ): Promise<Result<void, VaultFailure>> => {
    const now = await read();
    if (!now.ok) return now;
    const content: Content = { version: 1, secrets: edit(now.value.content.secrets) };
    try {
      await replacePrivate(path, await seal(JSON.stringify(content), now.value.key, derive));
      return ok(undefined);
    } catch (thrown) {
      return failed('written', thrown);
    }
  };

  return {
    name: 'sealed',
    open: async () => {
      const now = await read();
      return now.ok ? ok(undefined) : now;
    },
    /** Opens it, and writes an empty one where there is none. */
    create: async () => {
      if (!existsSync(path)) return change((secrets) => secrets);
      const now = await read();
      return now.ok ? ok(undefined) : now;
    },
    get: async (name) => {
      const now = await read();
      if (!now.ok) return now;
      const found = now.value.content.secrets.find((entry) => entry.name === name);
      return ok(found === undefined ? undefined : new Secret(found.secret));
    },
    set: (name, secret) =>
      change((secrets) => [
        ...secrets.filter((entry) => entry.name !== name),
        { name, secret: secret.expose() },
      ]),
    remove: (name) => change((secrets) => secrets.filter((entry) => entry.name !== name)),
  };
};
