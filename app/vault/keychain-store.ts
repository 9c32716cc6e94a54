import { createHash, randomBytes } from 'node:crypto';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fail, ok, Secret, type Result } from '../kit/index.ts';
import { KeytarMissingError, loadKeytar, type Keytar } from './keytar.ts';
import type { VaultFailure, VaultOptions } from './port.ts';
import type { SecretStore } from './store.ts';

/** How long a keychain may take to answer, a person unlocking it included. */
export const KEYCHAIN_TIMEOUT_MS = 15_000;

const PROBE_PREFIX = 'probe ';

/** The name our entries go by; each home has its own, so that two never share secrets. */
export const serviceName = (home: string): string => {
  const place = existsSync(home) ? realpathSync(home) : home;
  return `Glovebox ${createHash('sha256').update(place).digest('hex').slice(0, 12)}`;
};

const unavailable = (why: string, hint?: string): Result<never, VaultFailure> =>
  fail('vault.unavailable', `No keychain answers: ${why}.`, hint);

const SEALED_HINT = 'Start a keychain, or use the sealed vault: GLOVEBOX_VAULT=sealed.';

const locked = (): Result<never, VaultFailure> =>
  fail(
    'vault.locked',
    'The keychain is locked.',
    'Unlock it in your system’s password manager and try again.',
  );

/** Without a bus libsecret would try to start one through X11 and complain in its own words. */
const hasBus = (env: VaultOptions['env']): boolean => {
  const runtime = env['XDG_RUNTIME_DIR'];
  return (
    (env['DBUS_SESSION_BUS_ADDRESS'] ?? '') !== '' ||
    (runtime !== undefined && existsSync(join(runtime, 'bus')))
  );
};

/** What the keychain's own words mean. The words are the system's and carry no secret of ours. */
const refused = (thrown: unknown): Result<never, VaultFailure> => {
  if (thrown instanceof KeytarMissingError) {
    return unavailable(
      `its library cannot be used (${thrown.message})`,
      'On Debian: apt-get install libsecret-1-0. Or use GLOVEBOX_VAULT=sealed.',
    );
  }
  const why = thrown instanceof Error ? thrown.message : 'no reason was given';
  if (/locked|dismissed|interaction is not allowed|-25308/i.test(why)) return locked();
  if (/does not exist at path|collection/i.test(why)) {
    return unavailable('it has no collection to store into', SEALED_HINT);
  }
  if (/d-?bus|autolaunch|not provided by any|serviceunknown|connect/i.test(why)) {
    return unavailable('there is no secret service on the session bus', SEALED_HINT);
  }
  return fail('vault.failed', `The keychain refused: ${why.slice(0, 300)}.`);
};

/** Secrets in the system's keychain. Calls run one at a time; while one hangs, the others fail at once. */
export const createKeychainStore = (
  options: Pick<VaultOptions, 'home' | 'env'>,
  timeoutMs = KEYCHAIN_TIMEOUT_MS,
): SecretStore => {
  const service = serviceName(options.home);
  let keytar: Keytar | undefined;
  let turn: Promise<unknown> = Promise.resolve();
  let hanging = false;

  const bounded = async <T>(
    keychain: Keytar,
    task: () => Promise<T>,
  ): Promise<Result<T, VaultFailure>> => {
    // A call that never comes back holds a thread; a few of those would hold them all.
    if (hanging) return locked();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const call = task();
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), timeoutMs);
    });
    try {
      const first = await Promise.race([call.then((value) => ({ value })), late]);
      if (first !== 'late') return ok(first.value);
      hanging = true;
      const back = (): void => {
        hanging = false;
      };
      call.then(back, back);
      keychain.abandon();
      return fail(
        'vault.locked',
        'The keychain did not answer in time.',
        'It may be waiting to be unlocked: unlock it and try again.',
      );
    } catch (thrown) {
      return refused(thrown);
    } finally {
      clearTimeout(timer);
    }
  };

  const call = <T>(task: (keychain: Keytar) => Promise<T>): Promise<Result<T, VaultFailure>> => {
    const mine = turn.then(async (): Promise<Result<T, VaultFailure>> => {
      if (process.platform === 'linux' && !hasBus(options.env)) {
        return unavailable('there is no session bus', SEALED_HINT);
      }
      try {
        keytar ??= await loadKeytar(options.env);
      } catch (thrown) {
        return refused(thrown);
      }
      const keychain = keytar;
      const first = await bounded(keychain, () => task(keychain));
      if (first.ok || first.error.code !== 'vault.unavailable') return first;
      // Its process keeps the bus it began with: after a new login that one is gone, another is there.
      keychain.abandon();
      return bounded(keychain, () => task(keychain));
    });
    turn = mine;
    return mine;
  };

  return {
    name: 'keychain',
    open: async () => {
      // Reading a locked keychain says "not there" instead of "locked": only a write tells.
      const account = PROBE_PREFIX + randomBytes(8).toString('hex');
      const written = await call((keychain) => keychain.setPassword(service, account, account));
      if (!written.ok) return written;
      const read = await call((keychain) => keychain.getPassword(service, account));
      if (!read.ok) return read;
      const removed = await call((keychain) => keychain.deletePassword(service, account));
      if (!removed.ok) return removed;
      return read.value === account
        ? ok(undefined)
        : fail('vault.failed', 'The keychain gave back something else than was stored.');
    },
    get: async (name) => {
      const found = await call((keychain) => keychain.getPassword(service, name));
      if (!found.ok) return found;
      return ok(found.value === null ? undefined : new Secret(found.value));
    },
    set: async (name, secret) => {
      const written = await call((keychain) =>
        keychain.setPassword(service, name, secret.expose()),
      );
      if (!written.ok) return written;
      const read = await call((keychain) => keychain.getPassword(service, name));
      if (!read.ok) return read;
      return read.value === secret.expose()
        ? ok(undefined)
        : fail('vault.failed', 'The keychain gave back something else than was stored.');
    },
    remove: async (name) => {
      const removed = await call((keychain) => keychain.deletePassword(service, name));
      return removed.ok ? ok(undefined) : removed;
    },
  };
};
