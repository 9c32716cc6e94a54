import { existsSync } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { MAX_PATH_CHARS, type Code, type FolderListing } from '../contract/index.ts';
import { fail, ok, type Failure, type Result } from '../kit/index.ts';

/** Most folders of one listing. */
export const MAX_FOLDERS = 2000;

/** The folders in a folder of the host, for choosing a project. Names only; hidden ones are left out. */
export const listFolders = async (
  path: string = homedir(),
): Promise<Result<FolderListing, Failure<Code>>> => {
  try {
    const folder = await realpath(path);
    if (!(await stat(folder)).isDirectory()) {
      return fail('project.not-a-folder', `${path} is not a folder.`, 'Choose a folder.');
    }
    const entries = await readdir(folder, { withFileTypes: true });
    const folders = entries
      .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
      .map((entry) => ({ name: entry.name, path: join(folder, entry.name) }))
      .filter((entry) => entry.path.length <= MAX_PATH_CHARS)
      .toSorted((a, b) => a.name.localeCompare(b.name))
      .slice(0, MAX_FOLDERS)
      .map((entry) => ({ ...entry, git: existsSync(join(entry.path, '.git')) }));
    const parent = dirname(folder);
    return ok({ path: folder, ...(parent === folder ? {} : { parent }), folders });
  } catch (why) {
    const code = (why as NodeJS.ErrnoException).code;
    return code === 'ENOENT' || code === 'ENOTDIR'
      ? fail('project.not-a-folder', `${path} is not a folder.`, 'Choose a folder that exists.')
      : fail('project.unreadable', `${path} cannot be read.`, 'Check who may read it.');
  }
};
