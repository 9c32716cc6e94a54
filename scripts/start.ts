import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createScope } from '../app/kit/index.ts';
import { root } from './places.ts';
import { buildElectronShell, chooseElectron } from './setup/electron.ts';
import { ensureEngine } from './setup/engine.ts';
import { ensureKeychain } from './setup/keychain.ts';
import { createProgress } from './setup/progress.ts';
import { ensureRenderer } from './setup/renderer.ts';
import { say, step } from './setup/step.ts';
import { node24 } from './tools.ts';

/** Runs a program in the terminal until it ends, handing signals on, and ends with its status. */
const become = async (
  program: string,
  args: readonly string[],
  env = process.env,
): Promise<never> => {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => child.kill(signal));
  }
  const code = await new Promise<number>((resolve) => {
    child.on('error', (failure) => {
      say(failure.message);
      resolve(127);
    });
    child.on('close', (status) => {
      resolve(status ?? 1);
    });
  });
  process.exit(code);
};

const stop = (failure: { readonly message: string; readonly hint?: string }): never => {
  say(`\n${failure.message}\n${failure.hint ?? ''}`);
  process.exit(125);
};

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

say('Glovebox');
const scope = createScope('start');
const engine = await ensureEngine('setup', scope);
if (!engine.ok && engine.error.code === 'setup.group-joined') {
  // Group membership is read at login; `sg` gives it to this one command without logging in again.
  const again = [node24, join(root, 'scripts', 'start.ts'), ...process.argv.slice(2)];
  await become('sg', ['docker', '-c', again.map(quote).join(' ')], {
    ...process.env,
    GLOVEBOX_IN_GROUP: '1',
  });
}
if (!engine.ok) stop(engine.error);
else {
  // A machine with an engine is somebody's own set-up: no package is installed there.
  const keychain = engine.value.wasThere ? undefined : await ensureKeychain();
  if (keychain?.ok === false)
    say(`  Keychain: ${keychain.error.message} A passphrase-sealed file serves instead.`);
  const show = createProgress('Images');
  const images = await step('Images', 'looking, and building what is missing', () =>
    engine.value.engine.ensureImages(
      'shell',
      (progress) => {
        show(progress.message);
      },
      scope.signal,
    ),
  );
  if (!images.ok) stop(images.error);
}
const renderer = await ensureRenderer();
if (!renderer.ok) stop(renderer.error);
await scope.close();

const electron = chooseElectron();
if (electron.available && (await buildElectronShell())) {
  say('Opening Glovebox in Electron.');
  await become(electron.binary, [root]);
}
const because = electron.available ? 'Electron’s shell could not be built' : electron.reason;
say(`Opening Glovebox in the browser: ${because}.`);
await become(node24, [
  '--disable-warning=ExperimentalWarning',
  join(root, 'app', 'cli', 'main.ts'),
  'serve',
  '--open',
  ...process.argv.slice(2),
]);
