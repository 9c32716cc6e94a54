import { vi } from 'vitest';
import type { SessionId, SessionSummary } from '../../contract/index.ts';
import { createScope, unwrap, type Scope } from '../../kit/index.ts';
import { ownerOf } from '../owner.ts';
import { createSessions, type SessionService } from '../sessions.ts';
import { changeOf, createFakeHouse, requestFor, type FakeHouse } from './fakes.ts';

/** How long a session may take to come to a state. */
const PATIENCE = { timeout: 10_000 };

/** Sessions in a house of fakes. */
export type SessionRig = {
  readonly house: FakeHouse;
  readonly scope: Scope;
  readonly sessions: SessionService;
  /** When a fake was first asked, among all that they were asked; -1 for never. */
  readonly at: (call: string) => number;
  /** What is on the record that has a name, in order. */
  readonly ops: () => readonly string[];
  readonly until: (id: SessionId, state: SessionSummary['state']) => Promise<SessionSummary>;
  readonly start: (extra?: object) => Promise<SessionSummary>;
  readonly running: (extra?: object) => Promise<SessionSummary>;
  /** A session that has ended with a change to decide on, and one that is held back. */
  readonly reviewed: () => Promise<SessionId>;
  /** Another process: the one that runs the tests lives as long as they do. */
  readonly second: () => { readonly inner: Scope; readonly service: SessionService };
  readonly close: () => Promise<void>;
};

export const createSessionRig = (): SessionRig => {
  const house = createFakeHouse();
  const scope = createScope('test');
  const sessions = createSessions(house.deps, scope);
  const until: SessionRig['until'] = (id, state) =>
    vi.waitFor(() => {
      const summary = sessions.get(id);
      if (summary?.state !== state)
        throw new Error(`it is ${summary?.state}: ${summary?.problem?.message}`);
      return summary;
    }, PATIENCE);
  const start: SessionRig['start'] = async (extra = {}) =>
    unwrap(await sessions.start(requestFor(house.project, extra)));
  const running: SessionRig['running'] = async (extra = {}) =>
    until((await start(extra)).id, 'running');
  return {
    house,
    scope,
    sessions,
    at: (call) => house.calls.indexOf(call),
    ops: () =>
      house.drafts.flatMap((draft) => ('op' in draft ? [`${draft.kind} ${draft.op}`] : [])),
    until,
    start,
    running,
    reviewed: async () => {
      const { id } = await running();
      house.changes = [changeOf('a'), { ...changeOf('.git/hooks/x'), heldBack: 'it would run' }];
      await sessions.stop(id);
      return id;
    },
    second: () => {
      const inner = createScope('second');
      return {
        inner,
        service: createSessions({ ...house.deps, owner: ownerOf(process.ppid) }, inner),
      };
    },
    close: async () => {
      await scope.close();
      house.close();
    },
  };
};
