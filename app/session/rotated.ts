import { fail, type Secret } from '../kit/index.ts';
import type { SessionDeps } from './deps.ts';

/** Stores the secrets that their servers replace during a session. */
export type RotatedKeeper = {
  /**
   * Stores one, after those before it. A failure is told in the log: the session goes on with the new
   * secret, but the stored one may be of no use any more.
   */
  readonly keep: (credential: string, secret: Secret) => void;
  /** Resolves when all that was given is stored, or told. */
  readonly settled: () => Promise<void>;
};

// A bug in the store may not end the session, nor hold up the tokens behind it.
const unforeseen = () => fail('vault.failed', 'The vault failed unforeseen.');

export const createRotatedKeeper = ({
  vault,
  log,
}: Pick<SessionDeps, 'vault' | 'log'>): RotatedKeeper => {
  let last: Promise<void> = Promise.resolve();
  const store = async (credential: string, secret: Secret): Promise<void> => {
    const stored = await vault.rotate(credential, secret).catch(unforeseen);
    if (stored.ok) return;
    const { code, message } = stored.error;
    log('warn', `The new refresh token of ${credential} could not be stored.`, { code, message });
  };
  return {
    keep: (credential, secret) => {
      const before = last;
      // In order: of two refresh tokens, only the later one is good.
      last = (async () => {
        await before;
        await store(credential, secret);
      })();
    },
    settled: () => last,
  };
};
