import { existsSync } from 'node:fs';
import { err, fail, ok, type Result, type Secret } from '../kit/index.ts';
import type { Catalog } from './catalog.ts';
import { createKeychainStore } from './keychain-store.ts';
import { checkNew, passphraseSource } from './passphrase.ts';
import type { VaultFailure, VaultOptions } from './port.ts';
import { createSealedStore, sealedPath } from './sealed-store.ts';
import type { SecretStore } from './store.ts';

/** The store of this start, and why it cannot be used yet, if so. No store: there is none to be had. */
export type Choice = {
  readonly store: SecretStore | undefined;
  readonly problem: VaultFailure | undefined;
  /** Whether it has been used with success. A person's passphrase is asked for at the first use, not before. */
  readonly opened: boolean;
};

const opened = async (store: SecretStore): Promise<Choice> => {
  const result = await store.open();
  return { store, problem: result.ok ? undefined : result.error, opened: result.ok };
};

const sealedChoice = async (options: VaultOptions, folder: string): Promise<Choice | undefined> => {
  const source = passphraseSource(options);
  if (source === undefined) return undefined;
  const store = createSealedStore(folder, source);
  const asks = (options.env['GLOVEBOX_PASSPHRASE_FILE'] ?? '') === '';
  return asks ? { store, problem: undefined, opened: false } : opened(store);
};

const noPassphrase: VaultFailure = {
  code: 'vault.passphrase',
  message: 'The sealed vault needs a passphrase, and nobody is there to ask.',
  hint: 'Give it in the window, or put it into a file of mode 600 and name that in GLOVEBOX_PASSPHRASE_FILE.',
};

const sealedLocked: VaultFailure = {
  code: 'vault.locked',
  message: 'The sealed file of credentials is locked.',
  hint: 'Its passphrase opens it: typed in the window, at the prompt of a command that needs it, or from the file that GLOVEBOX_PASSPHRASE_FILE names.',
};

/** What is said of a sealed file that waits for its passphrase; nothing where the first one is yet to make it. */
export const waitsForPassphrase = (
  { store, opened: isOpen }: Choice,
  folder: string,
): VaultFailure | undefined =>
  store?.name === 'sealed' && !isOpen && existsSync(sealedPath(folder)) ? sealedLocked : undefined;

/** The sealed store with nobody to ask: `unlock` may bring the passphrase later. */
const waitingForPassphrase = (folder: string): Choice => ({
  store: createSealedStore(folder, () => Promise.resolve(err(noPassphrase))),
  problem: undefined,
  opened: false,
});

/** Opens or creates the sealed store with a passphrase that a person gave just now. */
export const unlockSealed = async (
  folder: string,
  passphrase: Secret,
): Promise<Result<Choice, VaultFailure>> => {
  const store = createSealedStore(folder, (purpose) =>
    Promise.resolve(purpose === 'create' ? checkNew(passphrase) : ok(passphrase)),
  );
  const done = await store.create();
  return done.ok ? ok({ store, problem: undefined, opened: true }) : done;
};

/**
 * Picks the store: what GLOVEBOX_VAULT says, else the keychain where it answers, else the sealed file.
 * Tells when no keychain is waited for any more: what comes after that takes its time, but ends.
 */
export const chooseStore = async (
  options: VaultOptions,
  folder: string,
  catalog: Catalog,
  onKeychainDone: () => void,
): Promise<Result<Choice, VaultFailure>> => {
  const asked = options.env['GLOVEBOX_VAULT'] ?? '';
  if (asked === 'sealed') {
    onKeychainDone();
    return ok((await sealedChoice(options, folder)) ?? waitingForPassphrase(folder));
  }
  if (asked !== '' && asked !== 'keychain') {
    return fail('vault.failed', 'GLOVEBOX_VAULT is neither keychain nor sealed.');
  }
  const keychain = await opened(createKeychainStore(options));
  onKeychainDone();
  if (keychain.opened || asked === 'keychain') return ok(keychain);
  // Secrets that lie in a locked keychain are a matter of unlocking it, not of a second store.
  const waiting =
    keychain.problem?.code === 'vault.locked' &&
    catalog.entries.some((entry) => entry.store === 'keychain');
  if (waiting) return ok(keychain);
  const sealed = await sealedChoice(options, folder);
  if (sealed !== undefined) return ok(sealed);
  if (existsSync(sealedPath(folder))) {
    return ok(waitingForPassphrase(folder));
  }
  // A keychain that is locked serves as soon as somebody unlocks it; one that does not answer may never.
  if (keychain.problem?.code === 'vault.locked') return ok(keychain);
  return ok({ store: undefined, problem: keychain.problem, opened: false });
};
