import { createHash } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Manifest } from './manifest.ts';
import { native } from './native.ts';
import { OPAQUE_ATTRIBUTE } from './overlay.ts';

/** A fresh folder for one test; `remove` takes it away again. */
export const temporaryFolder = (): { readonly path: string; readonly remove: () => void } => {
  const path = mkdtempSync(join(tmpdir(), 'glovebox-workspace-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
};

/**
 * What stands at a path: text of a file, `link:` and a target, `folder`, `whiteout`, `opaque` (a folder that
 * hides what is below), `script` (an executable file).
 */
export type Tree = Readonly<Record<string, string>>;

/** Builds a tree of files below `root`. */
export const plant = (root: string, tree: Tree): void => {
  mkdirSync(root, { recursive: true });
  for (const [path, what] of Object.entries(tree)) {
    const at = join(root, path);
    mkdirSync(what === 'folder' || what === 'opaque' ? at : dirname(at), { recursive: true });
    if (what === 'folder') continue;
    if (what === 'opaque') native().setAttribute(at, OPAQUE_ATTRIBUTE, 'y');
    else if (what === 'whiteout') native().whiteout(at);
    else if (what.startsWith('link:')) symlinkSync(what.slice(5), at);
    else writeFileSync(at, what === 'script' ? '#!/bin/sh\n' : what);
    if (what === 'script') chmodSync(at, 0o755);
  }
};

/** Every entry of a tree with its kind, mode, owner and content, for comparing before and after. */
export const snapshot = (root: string, except: (path: string) => boolean = () => false): Tree => {
  const entries: Record<string, string> = {};
  const visit = (path: string): void => {
    const at = join(root, path);
    const stat = lstatSync(at);
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isSymbolicLink()) entries[path] = `link ${readlinkSync(at)}`;
    else if (stat.isDirectory()) {
      if (path !== '') entries[path] = `folder ${mode}`;
      for (const name of readdirSync(at).toSorted()) {
        const child = path === '' ? name : `${path}/${name}`;
        if (!except(child)) visit(child);
      }
    } else if (stat.isFile()) {
      const digest = createHash('sha256').update(readFileSync(at)).digest('hex').slice(0, 16);
      entries[path] = `file ${mode} ${stat.uid}:${stat.gid} ${stat.size} ${digest}`;
    } else entries[path] = `other ${mode}`;
  };
  visit('');
  return entries;
};

/** The manifest of a working copy that began now. */
export const manifestOf = (project: string, hidden: readonly string[] = []): Manifest => ({
  version: 1,
  project,
  mode: 'overlay',
  user: { uid: 1000, gid: 1000 },
  mapped: false,
  startedNs: String(BigInt(Date.now() + 1000) * 1_000_000n),
  hidden: hidden.map((path) => ({ path, directory: false, by: 'name', rule: 'test' })),
  placed: [],
  created: [],
  state: 'open',
});
