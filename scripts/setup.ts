import { parseArgs } from 'node:util';
import { createScope } from '../app/kit/index.ts';
import { ensureChromium } from './setup/browser.ts';
import { ensureEngine } from './setup/engine.ts';
import { ensureKeychain } from './setup/keychain.ts';
import { say } from './setup/step.ts';

/** `--fix` is what `glovebox doctor --fix` runs; `--tests` adds what the tests drive. */
const { values } = parseArgs({
  options: { fix: { type: 'boolean' }, tests: { type: 'boolean' } },
});

const scope = createScope('setup');
const problems: string[] = [];
const note = (
  result: { ok: true } | { ok: false; error: { message: string; hint?: string } },
): void => {
  if (!result.ok) problems.push([result.error.message, result.error.hint ?? ''].join(' ').trim());
};

say('Set-up');
note(await ensureEngine('setup', scope));
note(await ensureKeychain());
if (values.tests === true) note(await ensureChromium());
await scope.close();
for (const problem of problems) say(`  ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
