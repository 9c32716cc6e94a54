import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Mutation } from './mutation.ts';

/** How long one test file may take before it counts as hanging, in milliseconds. */
export const TEST_MS = 180_000;

/** What a test file came to. */
export type TestRun = 'green' | 'red' | 'hung' | 'not run';

/** A private copy of the tree, in which one protection at a time is missing. */
export type Workplace = {
  readonly test: (file: string) => Promise<TestRun>;
  /** Runs the entry's test with its protection taken away, and puts it back. */
  readonly without: (mutation: Mutation) => Promise<TestRun>;
  readonly close: () => Promise<void>;
};

const COPIED = [
  'app',
  'renderer',
  'sandbox-images',
  'bench',
  'e2e',
  'scripts',
  'package.json',
  'tsconfig.json',
  'tsconfig.std.json',
  'vitest.config.ts',
];

/** The reporter's count says whether tests ran at all: a file that does not load proves nothing. */
const readReport = async (path: string, code: number | null): Promise<TestRun> => {
  try {
    const report = JSON.parse(await readFile(path, 'utf8')) as {
      readonly numFailedTests: number;
      readonly numPassedTests: number;
      readonly testResults: readonly { readonly assertionResults: readonly unknown[] }[];
    };
    const ran = report.numFailedTests + report.numPassedTests;
    if (report.numFailedTests > 0) return 'red';
    // A broker that does not start fails the suite's own set-up.
    if (code !== 0)
      return report.testResults.some((one) => one.assertionResults.length > 0) ? 'red' : 'not run';
    return ran > 0 ? 'green' : 'not run';
  } catch {
    // No report: vitest itself did not come to an end.
    return 'not run';
  }
};

export const createWorkplace = async (root: string): Promise<Workplace> => {
  const folder = await mkdtemp(join(tmpdir(), 'glovebox-mutation-'));
  for (const name of COPIED) {
    await cp(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => !path.includes('node_modules'),
    });
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const report = join(folder, 'report.json');

  const test = async (file: string): Promise<TestRun> => {
    await rm(report, { force: true });
    const child = spawn(
      process.execPath,
      [
        join(folder, 'node_modules/vitest/vitest.mjs'),
        'run',
        '--project=unit',
        '--bail=1',
        '--reporter=json',
        `--outputFile=${report}`,
        file,
      ],
      { cwd: folder, stdio: 'ignore', detached: true },
    );
    return new Promise((resolve) => {
      let hung = false;
      const timer = setTimeout(() => {
        hung = true;
        // The whole group: brokers that the tests started are its children.
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      }, TEST_MS);
      child.once('error', () => {
        clearTimeout(timer);
        resolve('not run');
      });
      child.once('close', (code) => {
        clearTimeout(timer);
        resolve(hung ? 'hung' : readReport(report, code));
      });
    });
  };

  return {
    test,
    without: async (mutation) => {
      const path = join(folder, mutation.file);
      const source = await readFile(path, 'utf8');
      await writeFile(
        path,
        source.replace(mutation.find, () => mutation.replace),
      );
      try {
        return await test(mutation.test);
      } finally {
        await writeFile(path, source);
      }
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
};
