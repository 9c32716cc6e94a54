import { existsSync } from 'node:fs';
import { ok, type Result } from '../../app/kit/index.ts';
import { aptInstall, hasApt } from './apt.ts';
import { ask } from './ask.ts';
import { findProgram, run } from './command.ts';
import { step } from './step.ts';

const hasLibsecret = async (): Promise<boolean> => {
  const ldconfig = findProgram('ldconfig');
  if (ldconfig === undefined) return existsSync('/usr/lib/libsecret-1.so.0');
  return (await run(ldconfig, ['-p'])).output.includes('libsecret-1.so.0');
};

/**
 * A Secret Service for Linux (gnome-keyring), D-Bus and the library that speaks to it. Without a person
 * who unlocks it, it stays locked and the passphrase-sealed file serves instead.
 */
export const ensureKeychain = async (): Promise<Result<void>> => {
  if (process.platform !== 'linux' || !hasApt()) return ok(undefined);
  const missing = [
    findProgram('gnome-keyring-daemon') === undefined ? 'gnome-keyring' : undefined,
    findProgram('dbus-run-session') === undefined ? 'dbus' : undefined,
    (await hasLibsecret()) ? undefined : 'libsecret-1-0',
  ].filter((name) => name !== undefined);
  if (missing.length === 0) return ok(undefined);
  if (!(await ask(`  No keychain is installed. Install ${missing.join(', ')} with apt-get?`))) {
    return ok(undefined);
  }
  return step('Keychain', `installing ${missing.join(', ')}`, () => aptInstall(missing));
};
