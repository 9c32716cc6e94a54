import type { Secret } from '../kit/index.ts';
import type { SessionDeps } from './deps.ts';

/**
 * Stores a secret that its server has replaced during the session. A failure is told in the log: the
 * session goes on with the new one, but the stored one may be of no use any more.
 */
export const keepRotated = async (
  { vault, log }: Pick<SessionDeps, 'vault' | 'log'>,
  credential: string,
  secret: Secret,
): Promise<void> => {
  const stored = await vault.rotate(credential, secret);
  if (stored.ok) return;
  log('warn', `The new refresh token of ${credential} could not be stored.`, {
    code: stored.error.code,
    message: stored.error.message,
  });
};
