import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { node24, bin } from './tools.ts';
import { root } from './places.ts';

/** One check: a name for the summary and the command that decides. */
type Check = { readonly name: string; readonly command: readonly [string, ...string[]] };

const tsc = (project: string): Check => ({
  name: `types: ${project}`,
  command: [node24, join(root, 'node_modules/typescript-7/bin/tsc'), '-p', project],
});

const CHECKS: readonly Check[] = [
  { name: 'format', command: [bin('oxfmt'), '--check', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  {
    name: 'import borders',
    command: [
      bin('depcruise'),
      'app',
      'renderer',
      'sandbox-images',
      '--config',
      '.dependency-cruiser.mjs',
    ],
  },
  { name: 'unused code', command: [bin('knip')] },
  tsc('tsconfig.std.json'),
  tsc('tsconfig.json'),
  tsc('renderer/tsconfig.json'),
  tsc('app/electron/tsconfig.json'),
  { name: 'documents', command: [node24, 'scripts/check-docs.ts'] },
  { name: 'unit tests', command: [bin('vitest'), 'run', '--project', 'unit'] },
];

const runCheck = ({ name, command: [program, ...args] }: Check): Promise<boolean> =>
  new Promise((resolve) => {
    process.stderr.write(`\n— ${name}\n`);
    const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
    child.on('error', (failure) => {
      process.stderr.write(`${failure.message}\n`);
      resolve(false);
    });
    child.on('close', (code) => {
      resolve(code === 0);
    });
  });

const wanted = process.argv.slice(2);
const failed: string[] = [];
for (const check of CHECKS) {
  const skipped = wanted.length > 0 && !wanted.some((word) => check.name.startsWith(word));
  if (!skipped && !(await runCheck(check))) failed.push(check.name);
}
if (failed.length > 0) {
  process.stderr.write(`\nFailed: ${failed.join(', ')}\n`);
  process.exitCode = 1;
}
