import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  type BigIntStats,
} from 'node:fs';

/**
 * A folder held open, so that what is done in it is done in this folder and not in what a link put in its
 * place leads to. Names are looked up through `/proc/self/fd` (proc_pid_fd(5)), Node's only openat(2).
 */
export type HeldFolder = {
  /** The path of an entry, valid while the folder is held. The entry itself is not followed by `lstat`. */
  readonly at: (name: string) => string;
  readonly names: () => readonly string[];
  readonly descriptor: number;
  readonly close: () => void;
};

const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;

const hold = (descriptor: number): HeldFolder => {
  const self = `/proc/self/fd/${descriptor}`;
  return {
    at: (name) => `${self}/${name}`,
    names: () => readdirSync(`${self}/`),
    descriptor,
    close: () => closeSync(descriptor),
  };
};

/** Holds a folder by its path; the last part may not be a link. */
export const holdFolder = (path: string): HeldFolder => hold(openSync(path, FOLDER));

/** Holds a folder in a held one; throws ELOOP or ENOTDIR where a link or something else is in its place. */
export const holdIn = (parent: HeldFolder, name: string): HeldFolder =>
  hold(openSync(parent.at(name), FOLDER));

/** The entry itself, links not followed; undefined where there is none. */
export const statIn = (folder: HeldFolder, name: string): BigIntStats | undefined =>
  lstatSync(folder.at(name), { bigint: true, throwIfNoEntry: false });

export const linkIn = (folder: HeldFolder, name: string): string =>
  readlinkSync(folder.at(name), 'utf8');

/** Opens a regular file for reading; never follows a link, never waits on a pipe. */
export const readIn = (folder: HeldFolder, name: string): number =>
  openSync(
    folder.at(name),
    constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
  );
