import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Target } from './target.ts';

const FOLDER = join(import.meta.dirname, 'corpus');

/** A target's seeds, and the files stored for it: captured inputs, and cases that once failed. */
export const corpusOf = ({ name, seeds }: Target): readonly Buffer[] => {
  const folders = readdirSync(FOLDER, { withFileTypes: true });
  if (!folders.some((entry) => entry.isDirectory() && entry.name === name)) return seeds;
  const folder = join(FOLDER, name);
  const stored = readdirSync(folder)
    .toSorted()
    .map((file) => readFileSync(join(folder, file)));
  return [...seeds, ...stored];
};
