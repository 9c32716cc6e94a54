import { join } from 'node:path';
import { Name, VariableName, type CredentialSummary, type VaultStatus } from '../contract/index.ts';
import {
  err,
  fail,
  failure,
  isoTime,
  ok,
  systemClock,
  type Clock,
  type Result,
} from '../kit/index.ts';
import { checkSecret, formatHostRule, kindInfo, parseHostRule } from '../policy/index.ts';
import {
  MAX_CREDENTIALS,
  readCatalog,
  writeCatalog,
  type Catalog,
  type Entry,
  type StoreName,
} from './catalog.ts';
import { chooseStore, unlockSealed, waitsForPassphrase, type Choice } from './choose-store.ts';
import { withLock } from './lock.ts';
import type { Vault, VaultFailure, VaultOptions } from './port.ts';
import { makePrivateFolder } from './private-file.ts';
import type { SecretStore } from './store.ts';

const summaryOf = (entry: Entry): CredentialSummary => {
  const { name, kind, hosts, env, addedAt, rotatedAt } = entry;
  return {
    name,
    kind,
    hosts,
    addedAt,
    ...(env === undefined ? {} : { env }),
    ...(rotatedAt === undefined ? {} : { rotatedAt }),
  };
};

/** How long an opening waits for a keychain, in milliseconds; its prompt may stand open for longer, and must not hold up the app. */
export const OPEN_PATIENCE_MS = 3000;

export type VaultDeps = { readonly clock?: Clock; readonly patienceMs?: number };

const wordsOf = (store: StoreName): string => (store === 'sealed' ? 'sealed file' : 'keychain');

const stateOf = ({ store, problem, opened }: Choice, waiting: boolean): VaultStatus['state'] => {
  if (waiting) return 'locked';
  if (opened) return 'open';
  if (store === undefined) return 'unavailable';
  if (problem === undefined) return 'locked';
  return problem.code === 'vault.locked' || problem.code === 'vault.passphrase'
    ? 'locked'
    : 'unavailable';
};

/** What the user is told where the store is another than last time and secrets stayed behind. */
const changeOf = (
  before: StoreName | undefined,
  now: StoreName | undefined,
  catalog: Catalog,
): VaultFailure | undefined => {
  const left = catalog.entries.filter(({ store }) => store !== now).length;
  if (before === undefined || now === undefined || left === 0) return undefined;
  const other: StoreName = now === 'sealed' ? 'keychain' : 'sealed';
  return failure(
    'vault.unavailable',
    `Secrets are kept in the ${wordsOf(now)} now; ${left} stay behind in the ${wordsOf(other)}.`,
    `Nothing is lost: GLOVEBOX_VAULT=${other} brings them back.`,
  );
};

const notFound = (name: string): Result<never, VaultFailure> =>
  fail('credential.not-found', `No credential named ${name} is stored.`);

const elsewhere = (entry: Entry): Result<never, VaultFailure> => {
  return fail(
    'vault.unavailable',
    `The credential ${entry.name} is stored in the ${wordsOf(entry.store)}, which is not in use now.`,
    `Use it with GLOVEBOX_VAULT=${entry.store}, or remove the credential and add it again.`,
  );
};

const parseHosts = (kind: string, hosts: readonly string[] | undefined): Result<string[]> => {
  const info = kindInfo(kind);
  if (!info.ok) return info;
  const formatted: string[] = [];
  for (const text of hosts ?? info.value.hosts) {
    const rule = parseHostRule(text);
    if (!rule.ok) return rule;
    formatted.push(formatHostRule(rule.value));
  }
  return ok(formatted);
};

/**
 * Opens the vault of a home. The store is GLOVEBOX_VAULT's; without it the keychain where one
 * answers, else the sealed file. Where neither can be had the vault still opens, says so in its
 * status, and every use fails: nothing is ever stored in the clear.
 */
export const openVault = async (
  options: VaultOptions,
  { clock = systemClock, patienceMs = OPEN_PATIENCE_MS }: VaultDeps = {},
): Promise<Result<Vault, VaultFailure>> => {
  const folder = join(options.home, 'vault');
  try {
    await makePrivateFolder(folder);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : 'the disk refuses';
    return fail('host.home', `The vault’s folder ${folder} cannot be made: ${why}.`);
  }
  const catalog = await readCatalog(folder);
  if (!catalog.ok) return catalog;
  const keychainDone = Promise.withResolvers<true>();
  const choosing = chooseStore(options, folder, catalog.value, () => keychainDone.resolve(true));
  const answered = await within(clock, patienceMs, Promise.race([keychainDone.promise, choosing]));
  const first = answered === undefined ? undefined : await choosing;
  if (first !== undefined && !first.ok) return first;
  return ok(createVault(folder, clock, choosing, first?.value, catalog.value));
};

/** What the task gives, or `undefined` if it takes longer; it goes on then. */
const within = async <T>(clock: Clock, ms: number, task: Promise<T>): Promise<T | undefined> => {
  let cancel: (() => void) | undefined;
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.after(ms, () => resolve(undefined));
  });
  try {
    return await Promise.race([task, late]);
  } finally {
    cancel?.();
  }
};

const WAITING = failure(
  'vault.locked',
  'The keychain has not answered yet.',
  'It may be waiting to be unlocked.',
);

const createVault = (
  folder: string,
  clock: Clock,
  choosing: Promise<Result<Choice, VaultFailure>>,
  first: Choice | undefined,
  catalogThen: Catalog,
): Vault => {
  const before = catalogThen.store;
  let choice: Choice = first ?? { store: undefined, problem: WAITING, opened: false };
  let waiting: Promise<void> | undefined;
  const settle = async (): Promise<void> => {
    const chosen = await choosing;
    waiting = undefined;
    choice = chosen.ok ? chosen.value : { store: undefined, problem: chosen.error, opened: false };
  };
  if (first === undefined) waiting = settle();

  /** The store, opened again where it was not open: the user may have unlocked it since. */
  const ready = async (): Promise<Result<SecretStore, VaultFailure>> => {
    const opening = waiting;
    await opening;
    const { store, problem, opened } = choice;
    // Who has just waited for a keychain that did not answer does not wait for it twice.
    if (opening !== undefined && problem !== undefined) return err(problem);
    if (store === undefined) {
      return err(problem ?? failure('vault.unavailable', 'There is no place for secrets.'));
    }
    if (opened) return ok(store);
    const now = await store.open();
    choice = { store, problem: now.ok ? undefined : now.error, opened: now.ok };
    return now.ok ? ok(store) : now;
  };

  const entryOf = async (
    name: string,
  ): Promise<Result<{ catalog: Catalog; entry: Entry }, VaultFailure>> => {
    const catalog = await readCatalog(folder);
    if (!catalog.ok) return catalog;
    const entry = catalog.value.entries.find((one) => one.name === name);
    return entry === undefined ? notFound(name) : ok({ catalog: catalog.value, entry });
  };

  const save = (
    entries: readonly Entry[],
    store: SecretStore,
  ): Promise<Result<void, VaultFailure>> =>
    writeCatalog(folder, { version: 1, store: store.name, entries: [...entries] });

  const status = async (): Promise<VaultStatus> => {
    const catalog = await readCatalog(folder);
    const { store } = choice;
    const problem = catalog.ok
      ? (choice.problem ??
        changeOf(before, store?.name, catalog.value) ??
        waitsForPassphrase(choice, folder))
      : catalog.error;
    return {
      store: store?.name ?? (waiting === undefined ? 'none' : 'keychain'),
      state: catalog.ok ? stateOf(choice, waiting !== undefined) : 'unavailable',
      ...(catalog.ok ? { credentials: catalog.value.entries.length } : {}),
      ...(problem === undefined ? {} : { problem }),
    };
  };

  return {
    status,

    unlock: async (passphrase) => {
      await waiting;
      const inKeychain = choice.store?.name === 'keychain';
      if (passphrase === undefined) {
        if (!inKeychain) return fail('vault.passphrase', 'The sealed file needs its passphrase.');
        const now = await ready();
        return now.ok ? ok(await status()) : now;
      }
      if (inKeychain) {
        return fail(
          'vault.failed',
          'Secrets are kept in the keychain; it takes no passphrase here.',
        );
      }
      const opened = await withLock(folder, clock, () => unlockSealed(folder, passphrase));
      if (!opened.ok) return opened;
      choice = opened.value;
      return ok(await status());
    },

    list: async () => {
      const catalog = await readCatalog(folder);
      return catalog.ok ? ok(catalog.value.entries.map(summaryOf)) : catalog;
    },

    add: async ({ name, kind, secret, hosts, env }) => {
      if (!Name.safeParse(name).success) {
        return fail(
          'credential.bad-value',
          'A name has letters, digits, dots, dashes and underscores.',
        );
      }
      if (env !== undefined && !VariableName.safeParse(env).success) {
        return fail('credential.bad-value', 'A variable has letters, digits and underscores.');
      }
      const rules = parseHosts(kind, hosts);
      if (!rules.ok) return rules as Result<never, VaultFailure>;
      const checked = checkSecret(kind, secret.expose());
      if (!checked.ok) return checked as Result<never, VaultFailure>;
      return withLock(folder, clock, async () => {
        const catalog = await readCatalog(folder);
        if (!catalog.ok) return catalog;
        const { entries } = catalog.value;
        if (entries.some((entry) => entry.name === name)) {
          return fail(
            'credential.exists',
            `A credential named ${name} is already stored.`,
            'Rotate it to give it a new secret, or choose another name.',
          );
        }
        if (entries.length >= MAX_CREDENTIALS) {
          return fail('vault.failed', `No more than ${MAX_CREDENTIALS} credentials can be stored.`);
        }
        const open = await ready();
        if (!open.ok) return open;
        const stored = await open.value.set(name, secret);
        if (!stored.ok) return stored;
        const entry: Entry = {
          name,
          kind,
          hosts: rules.value,
          ...(env === undefined ? {} : { env }),
          addedAt: isoTime(clock.now()),
          store: open.value.name,
        };
        const saved = await save([...entries, entry], open.value);
        return saved.ok ? ok(summaryOf(entry)) : saved;
      });
    },

    rotate: (name, secret) =>
      withLock(folder, clock, async () => {
        const found = await entryOf(name);
        if (!found.ok) return found;
        const { catalog, entry } = found.value;
        const checked = checkSecret(entry.kind, secret.expose());
        if (!checked.ok) return checked as Result<never, VaultFailure>;
        const open = await ready();
        if (!open.ok) return open;
        if (entry.store !== open.value.name) return elsewhere(entry);
        const stored = await open.value.set(name, secret);
        if (!stored.ok) return stored;
        const rotated: Entry = { ...entry, rotatedAt: isoTime(clock.now()) };
        const saved = await save(
          catalog.entries.map((one) => (one.name === name ? rotated : one)),
          open.value,
        );
        return saved.ok ? ok(summaryOf(rotated)) : saved;
      }),

    remove: (name) =>
      withLock(folder, clock, async () => {
        const found = await entryOf(name);
        if (!found.ok) return found;
        const { catalog, entry } = found.value;
        const open = await ready();
        if (!open.ok) return open;
        if (entry.store !== open.value.name) return elsewhere(entry);
        const removed = await open.value.remove(name);
        if (!removed.ok) return removed;
        return save(
          catalog.entries.filter((one) => one.name !== name),
          open.value,
        );
      }),

    reveal: async (name) => {
      const found = await entryOf(name);
      if (!found.ok) return found;
      const { entry } = found.value;
      const open = await ready();
      if (!open.ok) return open;
      if (entry.store !== open.value.name) return elsewhere(entry);
      const secret = await open.value.get(name);
      if (!secret.ok) return secret;
      if (secret.value !== undefined)
        return ok({ summary: summaryOf(entry), secret: secret.value });
      // A keychain that was locked since says "not there" of everything.
      const again = await open.value.open();
      if (!again.ok) {
        choice = { ...choice, problem: again.error, opened: false };
        return again;
      }
      return fail(
        'credential.not-found',
        `The credential ${name} is listed, but its secret is no longer in the store.`,
        'Rotate it to store its secret anew, or remove it.',
      );
    },
  };
};
