import { fork } from 'node:child_process';
import { registerHooks } from 'node:module';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { ServerMessage, SessionSummary } from '../../contract/index.ts';
import { PORT_CHANNEL } from '../page-address.ts';
import { createElectronStandIn, createPortStandIn } from './stand-in.ts';

/**
 * Runs the built main process (argument 1) on the stand-in of Electron, connects like a window, starts one
 * session of a shell command in the project (argument 2) and prints how it ended. Only Electron is a
 * stand-in: the bundle, the broker's process, the workspace's thread and the containers are real.
 */
const [, , bundle = '', project = ''] = process.argv;

const electron = createElectronStandIn();
const parts = { ...electron, Menu: electron.Menu };
(globalThis as { electronStandIn?: unknown }).electronStandIn = Object.assign(parts, {
  utilityProcess: {
    fork: (path: string, args: string[], options: { env: NodeJS.ProcessEnv }) => {
      const child = fork(path, args, {
        env: options.env,
        serialization: 'advanced',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
      return Object.assign(child, { postMessage: (message: object) => child.send(message) });
    },
  },
});

const NAMES = [
  'app',
  'BrowserWindow',
  'dialog',
  'ipcMain',
  'Menu',
  'protocol',
  'session',
  'utilityProcess',
];
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'electron/main'
      ? { url: 'stand-in:electron', format: 'module', shortCircuit: true }
      : next(specifier, context),
  load: (url, context, next) =>
    url === 'stand-in:electron'
      ? {
          format: 'module',
          shortCircuit: true,
          source: NAMES.map(
            (name) => `export const ${name} = globalThis.electronStandIn.${name};`,
          ).join('\n'),
        }
      : next(url, context),
});

await import(pathToFileURL(bundle).href);
electron.becomeReady();
while (electron.windows.length === 0) {
  if (electron.boxes.length > 0) throw new Error(electron.boxes.join('\n'));
  await new Promise((resolve) => setTimeout(resolve, 50));
}

const [window] = electron.windows;
const port = createPortStandIn();
const ended = Promise.withResolvers<SessionSummary>();
let started: string | undefined;
const Changed = z.object({ type: z.literal('changed'), session: SessionSummary });
const onMessage = (text: unknown): void => {
  const message = ServerMessage.parse(JSON.parse(String(text)));
  if (message.type === 'failure') ended.reject(new Error(message.problem.message));
  if (message.type === 'result') started = SessionSummary.parse(message.output).id;
  const changed = message.type === 'item' ? Changed.safeParse(message.item) : undefined;
  if (changed?.success !== true || changed.data.session.id !== started) return;
  const { session } = changed.data;
  if (['review', 'closed', 'failed'].includes(session.state)) ended.resolve(session);
};
electron.ipcEvents.emit(PORT_CHANNEL, {
  sender: window?.page,
  senderFrame: window?.page.mainFrame,
  ports: [Object.assign(port, { postMessage: onMessage })],
});
const send = (message: unknown): void => {
  port.events.emit('message', { data: JSON.stringify(message), ports: [] });
};
send({ type: 'subscribe', id: 1, stream: 'sessions', input: {} });
send({
  type: 'call',
  id: 2,
  method: 'session.start',
  input: {
    project,
    assistant: 'shell',
    workspace: 'overlay',
    grants: [],
    network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [] },
    limits: {},
    hide: { add: [], show: [] },
    command: ['sh', '-c', 'test -e secret.txt && exit 1; echo made > made.txt; exit 7'],
  },
});
const { state, exitCode, changed, problem } = await ended.promise;
process.stdout.write(`${JSON.stringify({ state, exitCode, changed, problem })}\n`);

electron.appEvents.emit('before-quit', { preventDefault: () => undefined });
while (!electron.calls.includes('exit 0')) await new Promise((resolve) => setTimeout(resolve, 50));
process.exit(0);
