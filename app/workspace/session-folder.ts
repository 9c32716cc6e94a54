import { join } from 'node:path';

/** Where this room keeps what, below the session's own folder. */
export type SessionFolder = {
  /** All of it; removed by discard. */
  readonly root: string;
  readonly manifest: string;
  readonly upper: string;
  readonly work: string;
  /** Mount point of the idmapped project. */
  readonly lower: string;
  /** Empty file, empty folder and sanitised copies that live mode binds over the project's own. */
  readonly masks: string;
};

export const sessionFolder = (folder: string): SessionFolder => {
  const root = join(folder, 'workspace');
  return {
    root,
    manifest: join(root, 'manifest.json'),
    upper: join(root, 'upper'),
    work: join(root, 'work'),
    lower: join(root, 'lower'),
    masks: join(root, 'masks'),
  };
};

/** Whether a mount point is one that this room makes. */
export const isOurMount = (target: string): boolean => target.endsWith('/workspace/lower');
