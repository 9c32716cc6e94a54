import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Closable } from '../../app/kit/index.ts';
import { findProgram } from '../setup/command.ts';

/**
 * A D-Bus session with an unlocked Secret Service of its own (gnome-keyring in a temporary folder),
 * so that tests talk to a real keychain and never to the developer's.
 */
export type KeychainSession = Closable & {
  /** Puts the session around a command. */
  readonly wrap: (command: readonly string[]) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
};

const SCRIPT =
  'printf glovebox-tests | gnome-keyring-daemon --unlock --components=secrets >/dev/null && exec "$@"';

export const createKeychainSession = (): KeychainSession | undefined => {
  if (findProgram('dbus-run-session') === undefined) return undefined;
  if (findProgram('gnome-keyring-daemon') === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'gbx-keychain-'));
  return {
    wrap: (command) => ['dbus-run-session', '--', 'sh', '-c', SCRIPT, 'sh', ...command],
    env: { XDG_DATA_HOME: folder, XDG_RUNTIME_DIR: folder, GLOVEBOX_TEST_KEYCHAIN: '1' },
    close: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
};
