import { createStore, type StoreApi } from 'zustand/vanilla';
import type {
  Problem,
  QuestionId,
  Reply,
  SessionId,
  SessionSummary,
} from '../../../app/contract/index.ts';
import type { Scope } from '../../../app/kit/index.ts';
import type { WireClient } from '../../wire/index.ts';

export type Sessions = {
  /** False until the host has told which there are. */
  readonly loaded: boolean;
  readonly byId: ReadonlyMap<SessionId, SessionSummary>;
  readonly problem: Problem | undefined;
  /** Sessions that are being asked to stop. */
  readonly stopping: ReadonlySet<SessionId>;
  readonly stop: (id: SessionId) => Promise<void>;
  /** False where it was not taken: the question is over, or the host could not be asked. */
  readonly answer: (id: SessionId, question: QuestionId, reply: Reply) => Promise<boolean>;
  readonly forget: (id: SessionId) => Promise<boolean>;
  readonly put: (session: SessionSummary) => void;
};
export type SessionsStore = StoreApi<Sessions>;

export type SessionsDeps = {
  readonly client: WireClient;
  readonly report: (tried: string, problem: Problem) => void;
};

const ENDED: ReadonlySet<SessionSummary['state']> = new Set(['review', 'closed', 'failed']);

export const hasEnded = (session: SessionSummary): boolean => ENDED.has(session.state);

/** Questions of a session that wait for an answer. */
export const waitingCount = (session: SessionSummary): number =>
  hasEnded(session) ? 0 : (session.questions ?? []).length;

export const createSessionsStore = (deps: SessionsDeps, scope: Scope): SessionsStore => {
  const store = createStore<Sessions>((set, get) => ({
    loaded: false,
    byId: new Map(),
    problem: undefined,
    stopping: new Set(),
    put: (session) => {
      set((state) => ({ byId: new Map(state.byId).set(session.id, session) }));
    },
    stop: async (id) => {
      if (get().stopping.has(id)) return;
      set((state) => ({ stopping: new Set(state.stopping).add(id) }));
      const stopped = await deps.client.call('session.stop', { session: id });
      set((state) => {
        const stopping = new Set(state.stopping);
        stopping.delete(id);
        return { stopping };
      });
      if (stopped.ok) get().put(stopped.value);
      else deps.report('Stopping the session failed', stopped.error);
    },
    answer: async (session, question, reply) => {
      const taken = await deps.client.call('session.answer', { session, question, reply });
      if (!taken.ok) deps.report('The answer was not taken', taken.error);
      return taken.ok;
    },
    forget: async (id) => {
      const forgotten = await deps.client.call('session.forget', { session: id });
      if (!forgotten.ok) {
        deps.report('Forgetting the session failed', forgotten.error);
        return false;
      }
      set((state) => {
        const byId = new Map(state.byId);
        byId.delete(id);
        return { byId };
      });
      return true;
    },
  }));

  scope.defer(
    deps.client.subscribe(
      'sessions',
      {},
      {
        onItem: (item) => {
          if (item.type === 'all') {
            store.setState({
              loaded: true,
              problem: undefined,
              byId: new Map(item.sessions.map((session) => [session.id, session])),
            });
          } else if (item.type === 'changed') {
            store.getState().put(item.session);
          } else {
            store.setState((state) => {
              const byId = new Map(state.byId);
              byId.delete(item.id);
              return { byId };
            });
          }
        },
        onEnd: (problem) => {
          if (problem !== undefined) store.setState({ problem, loaded: true });
        },
      },
    ),
  );
  return store;
};

export type SessionGroup = { readonly title: string; readonly sessions: readonly SessionSummary[] };

/** Live sessions by project, newest first; then the ended ones. */
export const groupSessions = (
  byId: ReadonlyMap<SessionId, SessionSummary>,
): { readonly live: readonly SessionGroup[]; readonly ended: readonly SessionSummary[] } => {
  const newestFirst = Array.from(byId.values()).toSorted((a, b) =>
    b.startedAt.localeCompare(a.startedAt),
  );
  const groups = new Map<string, { title: string; sessions: SessionSummary[] }>();
  for (const session of newestFirst) {
    if (hasEnded(session)) continue;
    const group = groups.get(session.project) ?? { title: session.projectName, sessions: [] };
    group.sessions.push(session);
    groups.set(session.project, group);
  }
  const ended = newestFirst
    .filter(hasEnded)
    .toSorted((a, b) => (b.endedAt ?? b.startedAt).localeCompare(a.endedAt ?? a.startedAt));
  return { live: Array.from(groups.values()), ended };
};
