import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { Code } from '../contract/index.ts';
import { fail, ok, randomId, type Failure, type Result } from '../kit/index.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** Where all state lives: GLOVEBOX_HOME, else the platform's folder for a user's data (XDG base directories). */
export const homePath = (env: Env, platform: NodeJS.Platform = process.platform): string => {
  const own = env['GLOVEBOX_HOME'];
  if (own !== undefined && own !== '') return own;
  const user = env['HOME'] ?? homedir();
  if (platform === 'darwin') return join(user, 'Library', 'Application Support', 'Glovebox');
  const data = env['XDG_DATA_HOME'];
  // The specification has relative paths ignored.
  return join(
    data !== undefined && isAbsolute(data) ? data : join(user, '.local', 'share'),
    'glovebox',
  );
};

export type Home = {
  readonly path: string;
  /** Names this installation in the labels of everything that is created. */
  readonly installId: string;
};

const INSTALL_FILE = 'install';
const INSTALL_ID = /^[0-9a-z]{16}$/;
const HINT = 'Set GLOVEBOX_HOME to a folder of your own that nobody else can read.';

const DISK_TROUBLE: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'your share of the disk is used up',
  EROFS: 'the disk is read-only',
};

const refuse = (message: string): Result<never, Failure<Code>> => fail('host.home', message, HINT);

const readInstallId = (path: string): string | undefined => {
  try {
    const id = readFileSync(path, 'utf8').trim();
    return INSTALL_ID.test(id) ? id : undefined;
  } catch {
    return undefined;
  }
};

/** Makes the folder where it is missing (0700) and refuses one that others own, can write to, or that is a link. */
export const openHome = (env: Env): Result<Home, Failure<Code>> => {
  const path = homePath(env);
  if (!isAbsolute(path)) return refuse(`GLOVEBOX_HOME is ${path}, which is not an absolute path.`);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const found = lstatSync(path);
    if (!found.isDirectory()) return refuse(`${path} is not a folder, or only a link to one.`);
    if (process.getuid !== undefined && found.uid !== process.getuid()) {
      return refuse(`${path} belongs to another user.`);
    }
    const install = join(path, INSTALL_FILE);
    if ((found.mode & 0o077) !== 0) {
      // Closing a folder that is not Glovebox's alone (a home, /tmp) would lock others out of it.
      const isOurs = existsSync(install) || readdirSync(path).length === 0;
      if (!isOurs || (found.mode & 0o002) !== 0) {
        return refuse(
          `${path} is open to other users (mode ${(found.mode & 0o7777).toString(8)}).`,
        );
      }
      chmodSync(path, 0o700);
    }
    if (!existsSync(install)) {
      try {
        writeFileSync(install, `${randomId(16)}\n`, { mode: 0o600, flag: 'wx' });
      } catch (why) {
        // Another process was first; its id counts.
        if ((why as NodeJS.ErrnoException).code !== 'EEXIST') throw why;
      }
    }
    const installId = readInstallId(install);
    if (installId === undefined) return refuse(`${install} cannot be read.`);
    return ok({ path, installId });
  } catch (why) {
    const code = (why as NodeJS.ErrnoException).code ?? 'unknown error';
    const reason = DISK_TROUBLE[code];
    if (reason === undefined) return refuse(`${path} cannot be made or used (${code}).`);
    return fail(
      'host.home',
      `${path} cannot be made or used: ${reason}.`,
      'Free some space there, or set GLOVEBOX_HOME to a folder on another disk.',
    );
  }
};
