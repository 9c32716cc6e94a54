import { constants } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Creates the folder for us alone. */
export const makePrivateFolder = async (path: string): Promise<void> => {
  await mkdir(path, { recursive: true, mode: 0o700 });
};

const readAll = async (file: FileHandle, maxBytes: number): Promise<string> => {
  const { size } = await file.stat();
  if (size > maxBytes) throw new Error(`it is larger than ${maxBytes} bytes`);
  return file.readFile('utf8');
};

/** The text of a file of ours, or `undefined` where there is none. Follows no link; throws what the disk says. */
export const readPrivate = async (path: string, maxBytes: number): Promise<string | undefined> => {
  let file: FileHandle;
  try {
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw thrown;
  }
  try {
    return await readAll(file, maxBytes);
  } finally {
    await file.close();
  }
};

const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};

/** Replaces a file of ours (0600) in one step: after a crash there is the old text or the new, never a part. */
export const replacePrivate = async (path: string, text: string): Promise<void> => {
  const next = `${path}.next`;
  // A leftover of a crash; anything else by that name has no business here either.
  await rm(next, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const file = await open(next, flags, 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
  await syncFolder(dirname(path));
};
