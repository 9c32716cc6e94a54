import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { execFileSync } from 'node:child_process';
import { dirname, join, normalize } from 'node:path';
import { root } from './places.ts';

/** Paths in back quotes that look like the project's own, and links that lead to files. */
const NAMED_PATH = /`((?:app|renderer|sandbox-images|e2e|bench|docs|scripts)\/[\w./-]*\w)`/g;
const LINK = /\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g;

const documents = execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((path) => path !== '');

const dead: string[] = [];
for (const document of documents) {
  const text = await readFile(join(root, document), 'utf8');
  const named = Array.from(text.matchAll(NAMED_PATH), (match) => match[1] ?? '');
  const linked = Array.from(text.matchAll(LINK), (match) =>
    normalize(join(dirname(document), match[1] ?? '')),
  );
  for (const path of [...named, ...linked]) {
    if (!existsSync(join(root, path))) dead.push(`${document}: ${path} is not there`);
  }
}
if (dead.length > 0) {
  process.stderr.write(`${dead.join('\n')}\n`);
  process.exitCode = 1;
}
