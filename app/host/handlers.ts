import { statSync } from 'node:fs';
import {
  ASSISTANTS,
  type AssistantInfo,
  type Code,
  type SessionId,
  type StartRequest,
  type TerminalId,
} from '../contract/index.ts';
import { fail, ok, Secret, type Failure, type Result } from '../kit/index.ts';
import { ASSISTANT_PRESETS } from '../policy/index.ts';
import type { Sessions } from '../session/index.ts';
import type { Terminal } from '../terminal/port.ts';
import type { Vault } from '../vault/port.ts';
import type { Workspace } from '../workspace/port.ts';
import type { Attachments } from './attachments.ts';
import type { EngineWatch } from './engine-watch.ts';
import { listFolders } from './folders.ts';
import { GUARANTEES } from './guarantees.ts';
import type { Handlers, NetworkSurroundings } from './port.ts';
import type { HostStatusBoard } from './status.ts';

/** Most projects that are offered again. */
export const MAX_RECENT_PROJECTS = 32;

export type Rooms = {
  readonly sessions: Sessions;
  readonly vault: Vault;
  readonly workspace: Workspace;
  readonly engine: EngineWatch;
  readonly status: HostStatusBoard;
  readonly signal: AbortSignal;
  readonly surroundings: NetworkSurroundings;
};

/** The request with the host's own network settings; what the request says itself comes first. */
const inSurroundings = (
  request: StartRequest,
  { resolve = [], ...rest }: NetworkSurroundings,
): StartRequest => ({
  ...request,
  network: { ...rest, ...request.network, resolve: [...request.network.resolve, ...resolve] },
});

const NOTHING = ok({});

const isFolder = (path: string): boolean => {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
};

const recentProjects = (sessions: Sessions): string[] => {
  const paths = new Set(sessions.list().map(({ project }) => project));
  return Array.from(paths).filter(isFolder).slice(0, MAX_RECENT_PROJECTS);
};

const describeAssistants = (engine: EngineWatch): Promise<AssistantInfo[]> =>
  Promise.all(
    ASSISTANTS.map(async (name): Promise<AssistantInfo> => {
      const preset = ASSISTANT_PRESETS[name];
      const image = (await engine.current()?.imageState(name)) ?? { state: 'unknown' as const };
      return {
        name,
        title: preset.title,
        image: image.state,
        kinds: Array.from(preset.kinds),
        hosts: Array.from(preset.hosts),
        ...(image.version === undefined ? {} : { version: image.version }),
      };
    }),
  );

/** The answers to every call of the contract, for one connection. */
export const createHandlers = (rooms: Rooms, attachments: Attachments): Handlers => {
  const { sessions, vault, workspace, engine, status } = rooms;
  const terminalOf = (id: SessionId, terminal: TerminalId): Result<Terminal, Failure<Code>> => {
    const found = sessions.terminal(id, terminal);
    return found === undefined
      ? fail('session.not-running', 'That terminal is not open.', 'Open a new one.')
      : ok(found);
  };
  /** What changes the vault changes its status too. */
  const thenLook = async <T>(result: Promise<Result<T, Failure<Code>>>) => {
    const done = await result;
    void status.lookAtVault();
    return done;
  };

  return {
    'host.status': async () => ok(status.current()),
    'host.guarantees': async () => ok(Array.from(GUARANTEES)),
    'assistant.list': async () => ok(await describeAssistants(engine)),
    'folder.list': ({ path }) => listFolders(path),
    'project.recent': async () => ok(recentProjects(sessions)),
    'project.inspect': ({ path }) => workspace.inspect(path, rooms.signal),
    'credential.list': async () => {
      const list = await vault.list();
      return list.ok ? ok(Array.from(list.value)) : list;
    },
    'credential.add': ({ secret, ...input }) =>
      thenLook(vault.add({ ...input, secret: new Secret(secret) })),
    'credential.rotate': ({ name, secret }) => vault.rotate(name, new Secret(secret)),
    'credential.remove': async ({ name }) => {
      const removed = await thenLook(vault.remove(name));
      return removed.ok ? NOTHING : removed;
    },
    'vault.unlock': ({ passphrase }) =>
      thenLook(vault.unlock(passphrase === undefined ? undefined : new Secret(passphrase))),
    'session.list': async () => ok(Array.from(sessions.list())),
    'session.start': (request) => sessions.start(inSurroundings(request, rooms.surroundings)),
    'session.stop': ({ session }) => sessions.stop(session),
    'session.answer': async ({ session, question, reply }) => {
      const answered = await sessions.answer(session, question, reply);
      return answered.ok ? NOTHING : answered;
    },
    'session.changes': ({ session }) => sessions.changes(session),
    'session.accept': ({ session }) => sessions.accept(session),
    'session.discard': async ({ session }) => {
      const discarded = await sessions.discard(session);
      return discarded.ok ? NOTHING : discarded;
    },
    'session.forget': async ({ session }) => {
      const forgotten = await sessions.forget(session);
      return forgotten.ok ? NOTHING : forgotten;
    },
    'terminal.open': async ({ session, size }) => {
      const opened = await sessions.openTerminal(session, size);
      return opened.ok ? ok({ terminal: opened.value.id }) : opened;
    },
    'terminal.input': async ({ session, terminal, base64 }) => {
      const found = terminalOf(session, terminal);
      if (!found.ok) return found;
      found.value.input(Buffer.from(base64, 'base64'));
      return NOTHING;
    },
    'terminal.resize': async ({ session, terminal, size }) => {
      const found = terminalOf(session, terminal);
      if (!found.ok) return found;
      attachments.resize(terminal, size);
      return NOTHING;
    },
    'terminal.ack': async ({ terminal, bytes }) => {
      attachments.ack(terminal, bytes);
      return NOTHING;
    },
    'timeline.page': async ({ session, filter, before, limit }) => {
      const timeline = sessions.timeline(session);
      if (!timeline.ok) return timeline;
      const page = timeline.value.page({
        filter,
        limit,
        ...(before === undefined ? {} : { before }),
      });
      return page.ok ? ok({ ...page.value, events: Array.from(page.value.events) }) : page;
    },
    'timeline.overview': async ({ session, columns }) => {
      const timeline = sessions.timeline(session);
      if (!timeline.ok) return timeline;
      const buckets = timeline.value.overview(columns);
      return buckets.ok ? ok(Array.from(buckets.value)) : buckets;
    },
    'timeline.verify': async ({ session }) => {
      const timeline = sessions.timeline(session);
      return timeline.ok ? timeline.value.verify() : timeline;
    },
  };
};
