import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { z } from 'zod';
import { fail, ok, type Result, type Secret } from '../kit/index.ts';
import type { VaultFailure } from './port.ts';

/** scrypt's cost (RFC 7914): 128 MiB and about half a second for each guess. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1 } as const;
const SCRYPT_MAX_MEMORY_BYTES = 256 * 1024 * 1024;
const SALT_BYTES = 32;
/** AES-GCM's own nonce length; with a fresh key for each write it never meets another. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const CHECK_BYTES = 16;
const CIPHER = 'aes-256-gcm';

/** Largest sealed file that is read. */
export const MAX_SEALED_BYTES = 128 * 1024 * 1024;

const base64 = (bytes: number) => {
  const chars = Math.ceil(bytes / 3) * 4;
  return z
    .base64()
    .length(chars)
    .transform((text) => Buffer.from(text, 'base64'));
};

const Sealed = z.strictObject({
  format: z.literal('glovebox-sealed-vault'),
  version: z.literal(1),
  kdf: z.literal(`scrypt-${SCRYPT.N}-${SCRYPT.r}-${SCRYPT.p}`),
  cipher: z.literal(CIPHER),
  salt: base64(SALT_BYTES),
  nonce: base64(NONCE_BYTES),
  /** Tells a wrong passphrase from a damaged file. */
  check: base64(CHECK_BYTES),
  data: z.base64().max(MAX_SEALED_BYTES),
});

type Keys = { readonly cipherKey: Buffer; readonly check: Buffer };

export const deriveKeys = (passphrase: Secret, salt: Buffer): Promise<Keys> =>
  new Promise((resolve, reject) => {
    // One text has several spellings in Unicode; keyboards differ in which they send.
    const text = passphrase.expose().normalize('NFKC');
    const cost = { ...SCRYPT, maxmem: SCRYPT_MAX_MEMORY_BYTES };
    scrypt(text, salt, 64, cost, (failed, key) => {
      if (failed) {
        reject(failed);
        return;
      }
      const check = createHmac('sha256', key.subarray(32)).update('glovebox vault passphrase');
      resolve({ cipherKey: key.subarray(0, 32), check: check.digest().subarray(0, CHECK_BYTES) });
    });
  });

export type DeriveKeys = typeof deriveKeys;

/**
 * Derives keys, and remembers the last ones: each look into an unchanged file needs the same, and what is
 * read one after the other (a session's credentials) must not cost half a second apiece. It tells whoever
 * reads this process's memory nothing that the passphrase, which is kept too, does not.
 */
export const createKeyMemory = (derive: DeriveKeys): DeriveKeys => {
  let last: { passphrase: Secret; salt: Buffer; keys: Promise<Keys> } | undefined;
  return async (passphrase, salt) => {
    if (last?.passphrase !== passphrase || !last.salt.equals(salt))
      last = { passphrase, salt, keys: derive(passphrase, salt) };
    const asked = last;
    try {
      return await asked.keys;
    } catch (thrown) {
      if (last === asked) last = undefined;
      throw thrown;
    }
  };
};

const headerOf = (salt: Buffer, nonce: Buffer, check: Buffer) => ({
  format: 'glovebox-sealed-vault',
  version: 1,
  kdf: `scrypt-${SCRYPT.N}-${SCRYPT.r}-${SCRYPT.p}`,
  cipher: CIPHER,
  salt: salt.toString('base64'),
  nonce: nonce.toString('base64'),
  check: check.toString('base64'),
});

/** Seals a text under a passphrase, with fresh salt and nonce; the header is authenticated with it. */
export const seal = async (
  text: string,
  passphrase: Secret,
  derive: DeriveKeys = deriveKeys,
): Promise<string> => {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const keys = await derive(passphrase, salt);
  const header = headerOf(salt, nonce, keys.check);
  const cipher = createCipheriv(CIPHER, keys.cipherKey, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(Buffer.from(JSON.stringify(header)));
  const data = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${JSON.stringify({ ...header, data: data.toString('base64') }, undefined, 2)}\n`;
};

const damaged = (): Result<string, VaultFailure> =>
  fail(
    'vault.failed',
    'The sealed vault is damaged.',
    'It stays as it is. Bring it back from a backup, or move it away to begin anew.',
  );

/** Opens what `seal` made. `vault.passphrase` for a wrong passphrase, `vault.failed` for a damaged file. */
export const unseal = async (
  sealed: string,
  passphrase: Secret,
  derive: DeriveKeys = deriveKeys,
): Promise<Result<string, VaultFailure>> => {
  let parsed: z.infer<typeof Sealed>;
  try {
    parsed = Sealed.parse(JSON.parse(sealed));
  } catch {
    // Neither the parser's words nor the file's content belong into a message.
    return damaged();
  }
  const keys = await derive(passphrase, parsed.salt);
  if (!timingSafeEqual(keys.check, parsed.check)) {
    return fail(
      'vault.passphrase',
      'The passphrase does not open the sealed vault.',
      'Try again. If it is the right one, the file’s header was changed.',
    );
  }
  const data = Buffer.from(parsed.data, 'base64');
  if (data.length < TAG_BYTES) return damaged();
  const decipher = createDecipheriv(CIPHER, keys.cipherKey, parsed.nonce, {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(JSON.stringify(headerOf(parsed.salt, parsed.nonce, parsed.check))));
  decipher.setAuthTag(data.subarray(-TAG_BYTES));
  try {
    const text = decipher.update(data.subarray(0, -TAG_BYTES), undefined, 'utf8');
    return ok(text + decipher.final('utf8'));
  } catch {
    // The tag does not fit: somebody or something changed the file.
    return damaged();
  }
};
