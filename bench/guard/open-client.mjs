// Opens and closes files, as fast as it can: once inside a session, where the guard sees each open, and once
// in a plain container. Argument: a folder to work in. Prints one JSON object.
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const FILES = 200;
const OPENS = 20_000;
const READS = 5_000;

mkdirSync(folder, { recursive: true });
const names = Array.from({ length: FILES }, (_, at) => join(folder, `file-${at}`));
for (const name of names) writeFileSync(name, 'x'.repeat(1000));

/** Time of one call, in microseconds: the best of three runs, the others were disturbed. */
const each = (count, call) => {
  const runs = Array.from({ length: 3 }, () => {
    const began = performance.now();
    for (let at = 0; at < count; at += 1) call(names[at % FILES]);
    return ((performance.now() - began) * 1000) / count;
  });
  return Math.min(...runs);
};

const openUs = each(OPENS, (name) => closeSync(openSync(name)));
const readUs = each(READS, (name) => readFileSync(name));
process.stdout.write(`${JSON.stringify({ openUs, readUs })}\n`);
