import { fail, ok, type Result } from '../../app/kit/index.ts';
import { aptInstall, hasApt } from './apt.ts';
import { ask } from './ask.ts';
import { findProgram } from './command.ts';
import { step } from './step.ts';

const CHROMIUM_NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** A Chromium on PATH, or the one named by GLOVEBOX_CHROMIUM. */
export const findChromium = (): string | undefined =>
  process.env['GLOVEBOX_CHROMIUM'] ??
  CHROMIUM_NAMES.map(findProgram).find((path) => path !== undefined);

/** A Chromium to drive or to open; installed from the distribution where there is none. */
export const ensureChromium = async (): Promise<Result<string>> => {
  const present = findChromium();
  if (present !== undefined) return ok(present);
  const missing = fail(
    'setup.no-browser',
    'No Chromium was found on PATH.',
    'Install chromium, or name one in GLOVEBOX_CHROMIUM.',
  );
  if (!hasApt() || !(await ask('  No Chromium was found. Install it with apt-get?')))
    return missing;
  const installed = await step('Browser', 'installing Chromium from the distribution', () =>
    aptInstall(['chromium']),
  );
  if (!installed.ok) return installed;
  const now = findChromium();
  return now === undefined ? missing : ok(now);
};
