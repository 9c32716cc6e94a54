import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { root } from './places.ts';
import { findChromium } from './setup/browser.ts';
import { ensureRenderer } from './setup/renderer.ts';
import { say } from './setup/step.ts';
import { createKeychainSession } from './test/keychain-session.ts';
import { readPlaywrightReport, readVitestReport, type Report } from './test/report.ts';
import { bin, node24 } from './tools.ts';

/**
 * Everything, in the order in which it fails fastest: set-up, static checks, unit tests, tests with real
 * containers and a real keychain, then the browser. Ends with what failed, by name, and one line of counts:
 * whoever reads only the end of a long log knows where to look.
 */

type Env = Readonly<Record<string, string | undefined>>;

const inCi = process.env['CI'] !== undefined;

const runShown = (command: readonly string[], env: Env = {}): Promise<number> =>
  new Promise((resolve) => {
    const [program = '', ...args] = command;
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      env: { ...process.env, ...env },
    });
    child.on('error', (failure) => {
      say(failure.message);
      resolve(127);
    });
    child.on('close', (code) => {
      resolve(code ?? 1);
    });
  });

const reports = mkdtempSync(join(tmpdir(), 'gbx-reports-'));
const keychain = createKeychainSession();
const NO_REPORT: Report = {
  passed: 0,
  failed: ['the runner ended without a report'],
  skipped: [],
};
/** The static checks by their names in `check.ts`, so that the end of the log can say which one failed. */
const CHECKS = ['format', 'lint', 'import borders', 'unused code', 'types', 'documents'];
let passed = 0;
const failed: string[] = [];
const skipped: string[] = [];

const count = (name: string, code: number, report: Report): void => {
  passed += report.passed;
  failed.push(...report.failed.map((line) => `${name}: ${line}`));
  skipped.push(...report.skipped.map((line) => `${name}: ${line}`));
  // A runner that failed without a failing test (a crash, a leak at the end) is a failure all the same.
  if (code !== 0 && report.failed.length === 0) {
    failed.push(`${name}: the runner ended with ${String(code)}, though no test failed`);
  }
};

const stage = async (name: string, task: () => Promise<void>): Promise<void> => {
  const began = Date.now();
  say(`\n== ${name}`);
  await task();
  say(`== ${name}: ${String(Math.round((Date.now() - began) / 1000))} s`);
};

const vitest = async (project: string, withKeychain: boolean): Promise<void> => {
  const file = join(reports, `${project}.json`);
  const skippedFile = join(reports, `${project}-skipped.json`);
  const env = { GLOVEBOX_SKIPPED: skippedFile };
  const command = [
    bin('vitest'),
    'run',
    '--project',
    project,
    '--reporter=default',
    '--reporter=json',
    '--reporter=./scripts/test/skip-reporter.ts',
    `--outputFile.json=${file}`,
  ];
  const code =
    withKeychain && keychain !== undefined
      ? await runShown(keychain.wrap(command), { ...keychain.env, ...env })
      : await runShown(command, env);
  const report =
    existsSync(file) && existsSync(skippedFile) ? readVitestReport(file, skippedFile) : NO_REPORT;
  count(project, code, report);
  if (inCi && project === 'engine' && report.skipped.length > 0) {
    failed.push(
      ...report.skipped.map((line) => `engine: left out, which CI does not take: ${line}`),
    );
  }
};

const playwright = async (): Promise<void> => {
  const file = join(reports, 'e2e.json');
  const command = [bin('playwright'), 'test', '--reporter=list,json'];
  const env = {
    PLAYWRIGHT_JSON_OUTPUT_NAME: file,
    GLOVEBOX_CHROMIUM: findChromium(),
  };
  const code =
    keychain === undefined
      ? await runShown(command, env)
      : await runShown(keychain.wrap(command), { ...env, ...keychain.env });
  count('e2e', code, existsSync(file) ? readPlaywrightReport(file) : NO_REPORT);
};

const stages: Readonly<Record<string, () => Promise<void>>> = {
  'set-up': async () => {
    if ((await runShown([node24, 'scripts/setup.ts', '--tests'])) !== 0) {
      failed.push('set-up: the first lines of this log say which step');
    }
    const renderer = await ensureRenderer();
    if (!renderer.ok) {
      failed.push(`set-up: ${renderer.error.message}`);
    }
  },
  static: async () => {
    for (const name of CHECKS) {
      const code = await runShown([node24, 'scripts/check.ts', name]);
      if (code !== 0) failed.push(`static: ${name}`);
    }
  },
  unit: () => vitest('unit', false),
  engine: () => vitest('engine', true),
  e2e: playwright,
};

const wanted = process.argv.slice(2);
try {
  for (const [name, task] of Object.entries(stages)) {
    if (wanted.length === 0 || wanted.includes(name)) await stage(name, task);
  }
} finally {
  await keychain?.close();
  rmSync(reports, { recursive: true, force: true });
}

if (skipped.length > 0) say(`\nLeft out:\n${skipped.map((line) => `  ${line}`).join('\n')}`);
if (failed.length > 0) say(`\nFailed:\n${failed.map((line) => `  ${line}`).join('\n')}`);
process.stdout.write(
  `\n${String(passed)} passed, ${String(failed.length)} failed, ${String(skipped.length)} skipped\n`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
