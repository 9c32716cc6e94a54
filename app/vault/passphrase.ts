import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { fail, ok, Secret, type Result } from '../kit/index.ts';
import type { VaultFailure, VaultOptions } from './port.ts';

/** Fewest characters of a new passphrase. */
export const MIN_PASSPHRASE_CHARS = 8;
const MAX_PASSPHRASE_BYTES = 4096;

export type GetPassphrase = (purpose: 'create' | 'open') => Promise<Result<Secret, VaultFailure>>;

const refuse = (path: string, why: string, hint?: string): Result<Secret, VaultFailure> =>
  fail('vault.passphrase', `The passphrase file ${path} ${why}.`, hint);

/** Reads a passphrase file: a plain file, ours, readable by nobody else. One line break at its end is not part of it. */
export const readPassphraseFile = async (path: string): Promise<Result<Secret, VaultFailure>> => {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) return refuse(path, 'is not a plain file');
      if (stat.uid !== process.getuid?.()) return refuse(path, 'belongs to another user');
      if ((stat.mode & 0o077) !== 0) {
        return refuse(path, 'can be read by others', `Close it: chmod 600 ${path}`);
      }
      if (stat.size > MAX_PASSPHRASE_BYTES) return refuse(path, 'is too large');
      const text = (await file.readFile('utf8')).replace(/\r?\n$/, '');
      return text === '' ? refuse(path, 'is empty') : ok(new Secret(text));
    } finally {
      await file.close();
    }
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException;
    return refuse(path, `cannot be read (${code ?? 'unknown reason'})`);
  }
};

/** Holds a new passphrase to its length. */
export const checkNew = (passphrase: Secret): Result<Secret, VaultFailure> =>
  passphrase.expose().length >= MIN_PASSPHRASE_CHARS
    ? ok(passphrase)
    : fail(
        'vault.passphrase',
        `A passphrase needs at least ${MIN_PASSPHRASE_CHARS} characters.`,
        'Several words make a good one.',
      );

/** Where the passphrase comes from: the file that the environment names, else the person; `undefined` where neither is. */
export const passphraseSource = (options: VaultOptions): GetPassphrase | undefined => {
  const path = options.env['GLOVEBOX_PASSPHRASE_FILE'];
  const ask = options.askPassphrase;
  const get: GetPassphrase | undefined =
    path !== undefined && path !== ''
      ? () => readPassphraseFile(path)
      : ask === undefined
        ? undefined
        : async (purpose) => {
            const answer = await ask(purpose);
            return answer === undefined
              ? fail('vault.locked', 'No passphrase was given: the sealed vault stays locked.')
              : ok(answer);
          };
  if (get === undefined) return undefined;
  return async (purpose) => {
    const got = await get(purpose);
    return got.ok && purpose === 'create' ? checkNew(got.value) : got;
  };
};
