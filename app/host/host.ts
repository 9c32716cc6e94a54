import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createStartBroker } from '../broker/index.ts';
import { findEngine } from '../engine/index.ts';
import { openGuard } from '../guard/index.ts';
import { createScope, ok, systemClock, type Result, type Scope } from '../kit/index.ts';
import { createSessions } from '../session/index.ts';
import { openTimelineReader, openTimelineWriter } from '../timeline/index.ts';
import { openVault } from '../vault/index.ts';
import { createWorkspace } from '../workspace/index.ts';
import { createAttachments, type Attachments } from './attachments.ts';
import { watchEngine } from './engine-watch.ts';
import { createHandlers } from './handlers.ts';
import { openHome } from './home.ts';
import { openLog } from './log.ts';
import type { HostFailure, HostOptions, SessionHost } from './port.ts';
import { createStatusBoard } from './status.ts';
import { createStreams } from './streams.ts';
import { serveWire } from './wire-server.ts';

/** Where the app's own files are, seen from here; a packaged shell names them. */
const beside = (name: string): string => fileURLToPath(new URL(`../../${name}`, import.meta.url));

const versionIn = (path: string): string => {
  try {
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version.slice(0, 64) : 'unknown';
  } catch {
    return 'unknown';
  }
};

/**
 * Builds every room into one host. Fails only where its own folder or vault cannot be used; a missing
 * engine is told by the status and looked for again. Closing the scope stops this process's sessions.
 */
export const createSessionHost = async (
  options: HostOptions,
  scope: Scope,
): Promise<Result<SessionHost, HostFailure>> => {
  const home = openHome(options.env);
  if (!home.ok) return home;
  const { path, installId } = home.value;
  const clock = systemClock;
  const log = openLog(path, clock);
  const vault = await openVault({
    home: path,
    env: options.env,
    ...(options.askPassphrase === undefined ? {} : { askPassphrase: options.askPassphrase }),
  });
  if (!vault.ok) return vault;

  const { shellImage } = options;
  const images = {
    imagesFolder: options.imagesFolder ?? beside('sandbox-images'),
    ...(shellImage === undefined ? {} : { shellImage }),
  };
  const engine = watchEngine(
    {
      find: (engineScope) => findEngine({ installId, env: options.env, ...images }, engineScope),
      clock,
    },
    scope,
  );
  const workspace = createWorkspace({ gloveboxHome: path, clock });
  const sessions = createSessions(
    {
      home: path,
      clock,
      log,
      engine: engine.require,
      workspace,
      vault: vault.value,
      startBroker:
        options.startBroker ??
        createStartBroker({ env: options.env, compileCache: join(path, 'cache', 'compiled') }),
      openGuard,
      // A scope of its own: the record outlives everything that writes to it, and closes with its session.
      openTimeline: (file) => openTimelineWriter(file, { clock }, createScope('timeline')),
      readTimeline: openTimelineReader,
    },
    scope,
  );
  const status = createStatusBoard(
    { engine, vault: vault.value, clock },
    {
      version: options.version ?? versionIn(beside('package.json')),
      shell: options.shell,
      homeFolder: path,
    },
    scope,
  );

  const recover = async (): Promise<void> => {
    try {
      await sessions.recover();
    } catch (why) {
      log('error', 'clearing away what dead processes left failed', { why });
    }
  };
  void recover();
  scope.defer(
    engine.onChange(({ state }) => {
      if (state === 'ready') void recover();
    }),
  );

  const rooms = {
    surroundings: options.surroundings ?? {},
    sessions,
    vault: vault.value,
    workspace,
    engine,
    status,
    clock,
  };
  const forConnection = (attachments: Attachments, signal: AbortSignal) => ({
    handlers: createHandlers({ ...rooms, signal }, attachments),
    streams: createStreams({ ...rooms, signal }, attachments),
  });
  log('info', 'started', { pid: process.pid, shell: options.shell });
  return ok({
    sessions,
    vault: vault.value,
    workspace,
    status: status.current,
    ...forConnection(createAttachments(), scope.signal),
    serve: (wire, connection) => {
      serveWire(
        wire,
        { ...forConnection(createAttachments(), connection.signal), log },
        connection,
      );
    },
  });
};
