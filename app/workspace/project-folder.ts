import { access, constants, lstat, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import type { Code } from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import type { WorkspaceFailure } from './port.ts';

/** Folders that belong to the system: a project is below none of them. */
const SYSTEM_TREES = [
  '/bin',
  '/boot',
  '/dev',
  '/etc',
  '/lib',
  '/lib32',
  '/lib64',
  '/proc',
  '/sbin',
  '/sys',
  '/usr',
];
/** Folders that hold other people's and programs' things: a project may be below, but is never one of them. */
const SYSTEM_FOLDERS = [
  '/',
  '/home',
  '/media',
  '/mnt',
  '/opt',
  '/root',
  '/srv',
  '/tmp',
  '/var',
  '/var/lib',
  '/var/tmp',
  '/snap',
  '/Users',
  '/System',
  '/Library',
  '/Applications',
  '/Volumes',
];
/** Below these, a removable disk's own folders. */
const REMOVABLE = '/run/media';
/** Inside the home folder: where tools keep their secrets, at any depth, and their settings. */
const HOME_TREES = ['.ssh', '.aws', '.azure', '.gnupg', '.kube', '.docker', '.password-store'];
const HOME_FOLDERS = ['.config', '.local', '.cache'];

export type ProjectFolder = {
  readonly path: string;
  readonly uid: number;
  readonly gid: number;
  readonly readOnly: boolean;
};

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);

const isInSystemTree = (path: string): boolean =>
  SYSTEM_TREES.some((tree) => isWithin(path, tree)) ||
  (isWithin(path, '/run') && (path === REMOVABLE || !isWithin(path, REMOVABLE)));

/** A path with its links resolved; one that does not exist yet stays as it is. */
const resolved = async (path: string): Promise<string> => realpath(path).catch(() => path);

const forbidden = (path: string, why: string): Result<never, WorkspaceFailure> =>
  fail(
    'project.forbidden',
    `${path} cannot be a project: ${why}.`,
    'Open the folder of one project.',
  );

const isLink = async (path: string): Promise<boolean> =>
  (await lstat(path).catch(() => undefined))?.isSymbolicLink() === true;

const codeOf = (failure: unknown): string => (failure as NodeJS.ErrnoException).code ?? '';

/** Resolves and judges a folder that is to be a project. */
export const openProject = async (
  project: string,
  gloveboxHome: string,
  userHome: string = homedir(),
): Promise<Result<ProjectFolder, WorkspaceFailure>> => {
  const refuse = (code: Code, what: string, hint: string): Result<never, WorkspaceFailure> =>
    fail(code, `${project} ${what}.`, hint);
  let path: string;
  try {
    path = await realpath(project);
  } catch (failure) {
    return codeOf(failure) === 'EACCES'
      ? refuse(
          'project.unreadable',
          'cannot be reached',
          'Give your user access to the folders above it.',
        )
      : refuse(
          'project.not-a-folder',
          (await isLink(project)) ? 'is a link that leads nowhere' : 'does not exist',
          'Check the path.',
        );
  }
  const stats = await stat(path);
  if (!stats.isDirectory()) {
    return refuse(
      'project.not-a-folder',
      'is not a folder',
      'Open the folder that holds the file.',
    );
  }
  const [own, home] = await Promise.all([resolved(gloveboxHome), resolved(userHome)]);
  if (SYSTEM_FOLDERS.includes(path) || isInSystemTree(path)) {
    return forbidden(path, 'it belongs to the system');
  }
  if (path === home || isWithin(home, path)) return forbidden(path, 'your home folder lies in it');
  if (
    HOME_TREES.some((name) => isWithin(path, `${home}/${name}`)) ||
    HOME_FOLDERS.some((name) => path === `${home}/${name}`)
  ) {
    return forbidden(path, 'tools keep their settings and secrets there');
  }
  if (isWithin(own, path) || isWithin(path, own)) {
    return forbidden(path, 'Glovebox keeps its own state there');
  }
  try {
    await access(path, constants.R_OK | constants.X_OK);
  } catch {
    return refuse('project.unreadable', 'cannot be read', 'Give your user the right to read it.');
  }
  return ok({ path, uid: stats.uid, gid: stats.gid, readOnly: await isReadOnly(path) });
};

/** Whether the disk a folder is on takes no writes (access(2): EROFS even for root). */
const isReadOnly = async (path: string): Promise<boolean> => {
  try {
    await access(path, constants.W_OK);
    return false;
  } catch (failure) {
    return codeOf(failure) === 'EROFS';
  }
};
