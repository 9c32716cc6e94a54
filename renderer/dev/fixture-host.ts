import {
  ClientMessage,
  METHODS,
  STREAMS,
  type MethodName,
  type MethodOutput,
  type MethodParsed,
  type Problem,
  type ServerMessage,
  type SessionId,
  type SessionSummary,
  type StreamItem,
  type StreamName,
  type StreamParsed,
  type TimelineCounts,
  type TimelineEvent,
  type VaultStatus,
  type Wire,
} from '../../app/contract/index.ts';
import { isoTime, randomId } from '../../app/kit/index.ts';
import { isBlocked, matchesFilter } from '../features/timeline/match.ts';
import { createWirePair } from '../wire/pair.ts';
import { BROKER_STORY } from './sample-broker.ts';
import { CHANGES } from './sample-changes.ts';
import { CREDENTIALS, MORE_CREDENTIALS } from './sample-credentials.ts';
import { ASSISTANTS, folders, GUARANTEES, HOST, RECENT } from './sample-host.ts';
import { inspection, PROJECT } from './sample-project.ts';
import { MANY_QUESTIONS, QUESTIONS } from './sample-questions.ts';
import { SCREEN } from './sample-screen.ts';
import {
  CLOSED,
  CROWDED,
  FAILED,
  MAIN,
  sessionId,
  SESSIONS,
  STARTING,
  terminalId,
} from './sample-sessions.ts';
import { longStory, numbered, OPEN, STORY } from './sample-story.ts';

// A host of sample data inside the page, for looking at the window while it is built. It is reached by
// `?fixture=NAME` in development only and is no part of a build.

export const FIXTURES = [
  'session',
  'start',
  'empty',
  'failing',
  'full',
  'quiet',
  'asking',
  'crowded',
  'broker',
  'locked-keychain',
  'locked-file',
  'new-file',
] as const;
type Fixture = (typeof FIXTURES)[number];

/** Stores of credentials that wait to be opened. */
const VAULTS: Partial<Readonly<Record<Fixture, VaultStatus>>> = {
  'locked-keychain': {
    store: 'keychain',
    state: 'locked',
    problem: {
      code: 'vault.locked',
      message: 'The keychain is locked.',
      hint: 'Unlock it in your system’s password manager and try again.',
    },
  },
  'locked-file': {
    store: 'sealed',
    state: 'locked',
    problem: { code: 'vault.locked', message: 'The sealed file of credentials is locked.' },
  },
  'new-file': { store: 'sealed', state: 'locked' },
};

/** A failure as the contract carries it. */
class Refused extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

const refuse = (code: Problem['code'], message: string, hint?: string): never => {
  throw new Refused(hint === undefined ? { code, message } : { code, message, hint });
};

const toBase64 = (text: string): string => {
  const bytes = new TextEncoder().encode(text);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
};

const countsOf = (events: readonly TimelineEvent[]): TimelineCounts => {
  const count = (view: Parameters<typeof matchesFilter>[1]['view']): number =>
    events.filter((event) => matchesFilter(event, { view, text: '' })).length;
  return {
    all: count('all'),
    egress: count('egress'),
    files: count('files'),
    credentials: count('credentials'),
    blocked: count('blocked'),
  };
};

const createFixture = (fixture: Fixture) => {
  const failing = fixture === 'failing';
  const vault = VAULTS[fixture];
  const empty = fixture === 'empty' || failing || vault !== undefined;
  const full = fixture === 'full';
  const sessions = new Map<SessionId, SessionSummary>(
    empty ? [] : SESSIONS.map((session) => [session.id, session]),
  );
  if (fixture === 'asking' || fixture === 'crowded') {
    const main = sessions.get(MAIN);
    const questions = fixture === 'asking' ? QUESTIONS : MANY_QUESTIONS;
    if (main !== undefined)
      sessions.set(main.id, {
        ...main,
        network: 'ask',
        questions: [...questions],
        ...(fixture === 'crowded' ? CROWDED : {}),
      });
  }
  if (fixture === 'broker') {
    const main = sessions.get(MAIN);
    if (main !== undefined) sessions.set(main.id, { ...main, gitAsks: true });
  }
  if (full) {
    for (let i = 0; i < 60; i += 1) {
      const base = SESSIONS[4];
      const id = sessionId(`many${String(i).padStart(8, '0')}`);
      if (base !== undefined)
        sessions.set(id, {
          ...base,
          id,
          title: `a long title of past session ${i} that does not fit its line`,
        });
    }
  }
  const timelines = new Map<SessionId, TimelineEvent[]>();
  const eventsOf = (id: SessionId): TimelineEvent[] => {
    const made =
      timelines.get(id) ??
      numbered(
        id === STARTING || id === FAILED
          ? STORY.slice(0, 2)
          : fixture === 'broker'
            ? BROKER_STORY
            : [...longStory(full ? 9000 : 1180), ...STORY],
        id,
      );
    timelines.set(id, made);
    return made;
  };
  let credentials = empty ? [] : [...CREDENTIALS, ...(full ? MORE_CREDENTIALS : [])];
  const changed = new Set<(item: StreamItem<'sessions'>) => void>();
  const put = (session: SessionSummary): SessionSummary => {
    sessions.set(session.id, session);
    for (const tell of changed) tell({ type: 'changed', session });
    return session;
  };
  const find = (id: SessionId): SessionSummary =>
    sessions.get(id) ?? refuse('session.not-found', 'There is no such session.');
  const vaultProblem: Problem = {
    code: 'vault.locked',
    message: 'The keychain is locked, so its credentials cannot be listed.',
    hint: 'Unlock it in your desktop’s password manager; Glovebox asks again by itself.',
  };
  const changesOf = (id: SessionId) =>
    id === CLOSED
      ? { changes: [], cut: false }
      : full
        ? {
            cut: true,
            changes: Array.from({ length: 4000 }, (_, i) => ({
              path: `packages/service-${i}/src/generated/api/v2/models/some-very-long-file-name-${i}.generated.ts`,
              change: 'modified' as const,
              type: 'file' as const,
              added: i % 90,
              removed: i % 17,
              ...(i % 50 === 3 ? { wouldRun: 'package.json scripts: “postinstall” is new' } : {}),
            })),
          }
        : CHANGES;

  const handlers: {
    readonly [M in MethodName]: (
      input: MethodParsed<M>,
    ) => MethodOutput<M> | Promise<MethodOutput<M>>;
  } = {
    'host.status': () => HOST,
    'host.guarantees': () => [...GUARANTEES],
    'assistant.list': () =>
      ASSISTANTS.map((one) => (failing ? { ...one, image: 'unknown' as const } : one)),
    'folder.list': ({ path = '/home/me' }) =>
      failing
        ? refuse('project.unreadable', `${path} cannot be read.`, 'Check its permissions.')
        : folders(path),
    'project.recent': () => (empty ? [] : RECENT),
    'project.inspect': async ({ path }) => {
      if (path.includes('slow')) await new Promise(() => undefined);
      if (failing || path.includes('missing')) {
        return refuse(
          'project.not-a-folder',
          `${path} is not a folder.`,
          'Choose a folder that holds a project.',
        );
      }
      return inspection(path, full);
    },
    'credential.list': () =>
      failing ? refuse(vaultProblem.code, vaultProblem.message, vaultProblem.hint) : credentials,
    'credential.add': ({ name, kind, hosts, env }) => {
      if (credentials.some((one) => one.name === name)) {
        return refuse(
          'credential.exists',
          `A credential named ${name} is already stored.`,
          'Choose another name, or replace its value.',
        );
      }
      const added = {
        name,
        kind,
        hosts: hosts ?? ['api.example.com'],
        ...(env === undefined ? {} : { env }),
        addedAt: isoTime(Date.now()),
      };
      credentials = [...credentials, added];
      return added;
    },
    'credential.rotate': ({ name }) => {
      const found = credentials.find((one) => one.name === name);
      return found ?? refuse('credential.not-found', 'No credential of that name is stored.');
    },
    'credential.remove': ({ name }) => {
      credentials = credentials.filter((one) => one.name !== name);
      return {};
    },
    'vault.unlock': ({ passphrase }) =>
      passphrase === 'open'
        ? { store: 'sealed', state: 'open' }
        : passphrase === undefined
          ? refuse(
              'vault.locked',
              'The keychain is locked.',
              'Unlock it in your system’s password manager and try again.',
            )
          : refuse('vault.passphrase', 'The passphrase does not open the vault.'),
    'session.list': () => Array.from(sessions.values()),
    'session.start': (input) => {
      const id = sessionId(randomId(12));
      return put({
        id,
        state: 'starting',
        project: input.project,
        projectName: input.project.slice(input.project.lastIndexOf('/') + 1),
        title: input.title ?? '',
        assistant: input.assistant,
        workspace: input.workspace,
        network: input.network.default,
        grants: [],
        terminals: [],
        startedAt: isoTime(Date.now()),
        alerts: [],
        owned: true,
        progress: { step: 'workspace', message: 'laying the working copy over the folder' },
      });
    },
    'session.stop': ({ session }) =>
      put({ ...find(session), state: 'review', endedAt: isoTime(Date.now()), exitCode: 0 }),
    'session.answer': ({ session, question }) => {
      const was = find(session);
      const open = was.questions ?? [];
      if (!open.some(({ id }) => id === question)) {
        return refuse('ask.gone', 'That question is no longer open.');
      }
      put({ ...was, questions: open.filter(({ id }) => id !== question) });
      return {};
    },
    'session.changes': ({ session }) => changesOf(find(session).id),
    'session.accept': ({ session }) => {
      put({ ...find(session), state: 'closed' });
      return refuse(
        'workspace.conflict',
        'src/webhooks/queue.ts changed in your folder since the session began.',
        'Nothing was taken. Put your change aside, then accept again.',
      );
    },
    'session.discard': ({ session }) => {
      put({ ...find(session), state: 'closed', changed: 0 });
      return {};
    },
    'session.forget': ({ session }) => {
      sessions.delete(session);
      return {};
    },
    'terminal.open': ({ session }) => {
      const terminal = terminalId(randomId(8));
      const was = find(session);
      put({ ...was, terminals: [...was.terminals, { id: terminal, title: 'shell' }] });
      return { terminal };
    },
    'terminal.input': () => ({}),
    'terminal.resize': () => ({}),
    'terminal.ack': () => ({}),
    'timeline.page': ({ session, filter, before, limit }) => {
      if (failing)
        return refuse('timeline.failed', 'The timeline could not be read.', 'Check the disk.');
      const all = eventsOf(session);
      const fitting = all
        .filter((event) => event.seq < (before ?? Number.MAX_SAFE_INTEGER))
        .filter((event) => matchesFilter(event, filter))
        .toReversed();
      return {
        events: fitting.slice(0, limit),
        counts: countsOf(all),
        more: fitting.length > limit,
      };
    },
    'timeline.overview': ({ session, columns }) => {
      const all = eventsOf(session);
      const from = Date.parse(all[0]?.at ?? isoTime(Date.now()));
      const span = Math.max(1000, (Date.now() - from) / columns);
      const buckets = Array.from({ length: columns }, (_, i) => ({
        from: from + i * span,
        egress: 0,
        touches: 0,
        credentials: 0,
        blocked: 0,
      }));
      for (const event of all) {
        const bucket =
          buckets[Math.min(columns - 1, Math.floor((Date.parse(event.at) - from) / span))];
        if (bucket === undefined) continue;
        if (event.kind === 'egress') bucket.egress += 1;
        if (event.kind === 'touch') bucket.touches += 1;
        if (event.kind === 'egress' && event.credential !== undefined) bucket.credentials += 1;
        if (isBlocked(event)) bucket.blocked += 1;
      }
      return buckets;
    },
    'timeline.verify': ({ session }) => {
      const events = eventsOf(session).length;
      return session === CLOSED
        ? { intact: false, events, brokenAt: 17, message: 'Event 17 does not fit the chain.' }
        : { intact: true, events, message: `${events} events fit the chain.` };
    },
  };

  const openers: {
    readonly [S in StreamName]: (
      input: StreamParsed<S>,
      send: (item: StreamItem<S>) => void,
    ) => () => void;
  } = {
    host: (_input, send) => {
      send(
        failing
          ? {
              ...HOST,
              engine: {
                state: 'missing',
                problem: {
                  code: 'engine.not-found',
                  message: 'No container engine answers on this machine.',
                  hint: 'Start Docker or Podman, or run “glovebox doctor --fix”. Glovebox looks again by itself.',
                },
              },
              vault: { store: 'keychain', state: 'locked', problem: vaultProblem },
            }
          : {
              ...HOST,
              vault: vault ?? { ...HOST.vault, credentials: credentials.length },
            },
      );
      return () => undefined;
    },
    sessions: (_input, send) => {
      send({ type: 'all', sessions: Array.from(sessions.values()) });
      changed.add(send);
      return () => {
        changed.delete(send);
      };
    },
    timeline: ({ session }, send) => {
      const events = eventsOf(session);
      const running = find(session).state === 'running';
      const open = running ? [...OPEN] : [];
      send({ events: [], counts: countsOf(events), open, skipped: 0 });
      if (!running || fixture !== 'session') return () => undefined;
      const timer = setInterval(() => {
        const seq = events.length + 1;
        const last: TimelineEvent = {
          kind: 'touch',
          at: isoTime(Date.now()),
          op: 'write',
          path: `${PROJECT}/src/webhooks/retry-${seq}.ts`,
          verdict: 'allowed',
          program: { pid: 20, command: ['claude'] },
          seq,
          session,
        };
        events.push(last);
        send({ events: [last], counts: countsOf(events), open, skipped: 0 });
      }, 1500);
      return () => {
        clearInterval(timer);
      };
    },
    terminal: (_input, send) => {
      send({ type: 'snapshot', size: { columns: 80, rows: 30 }, base64: toBase64(SCREEN) });
      return () => undefined;
    },
  };
  return { handlers, openers };
};

const serve = (wire: Wire, fixture: Fixture): void => {
  const { handlers, openers } = createFixture(fixture);
  const stops = new Map<number, () => void>();
  const say = (message: ServerMessage): void => {
    wire.send(JSON.stringify(message));
  };
  const call = async (id: number, method: MethodName, input: unknown): Promise<void> => {
    try {
      const parsed = METHODS[method].input.parse(input);
      const run = handlers[method] as (input: unknown) => unknown;
      say({ type: 'result', id, output: METHODS[method].output.parse(await run(parsed)) });
    } catch (thrown) {
      const problem: Problem =
        thrown instanceof Refused
          ? thrown.problem
          : { code: 'wire.bad-message', message: String(thrown).slice(0, 2000) };
      say({ type: 'failure', id, problem });
    }
  };
  wire.onMessage((text) => {
    const message = ClientMessage.parse(JSON.parse(text));
    if (message.type === 'call') void call(message.id, message.method, message.input);
    else if (message.type === 'unsubscribe') stops.get(message.id)?.();
    else {
      let seq = 0;
      const open = openers[message.stream] as (
        input: unknown,
        send: (item: unknown) => void,
      ) => () => void;
      try {
        const input = STREAMS[message.stream].input.parse(message.input);
        stops.set(
          message.id,
          open(input, (item) => {
            say({ type: 'item', id: message.id, seq: seq++, item });
          }),
        );
      } catch (thrown) {
        const problem: Problem =
          thrown instanceof Refused
            ? thrown.problem
            : { code: 'wire.bad-message', message: String(thrown).slice(0, 2000) };
        say({ type: 'end', id: message.id, problem });
      }
    }
  });
};

/** A connection to the sample host of that name; `lost` is a host that never answers. */
export const connectFixture = (name: string): Promise<Wire> => {
  if (name === 'lost') return Promise.reject(new Error('the sample host is away'));
  const fixture = FIXTURES.find((one) => one === name) ?? 'session';
  const [near, far] = createWirePair();
  serve(far, fixture);
  return Promise.resolve(near);
};
