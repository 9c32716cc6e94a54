import { createStore, type StoreApi } from 'zustand/vanilla';
import type {
  AcceptReport,
  ChangeSet,
  FileChange,
  Problem,
  SessionId,
} from '../../../app/contract/index.ts';
import type { WireClient } from '../../wire/index.ts';

export type Review = {
  readonly set: ChangeSet | undefined;
  readonly loading: boolean;
  readonly problem: Problem | undefined;
  readonly busy: 'accept' | 'discard' | undefined;
  /** What accepting did, until the view is left. */
  readonly report: AcceptReport | undefined;
  readonly load: () => Promise<void>;
  readonly accept: () => Promise<void>;
  readonly discard: () => Promise<void>;
};
export type ReviewStore = StoreApi<Review>;

export type ReviewDeps = {
  readonly client: WireClient;
  readonly report: (tried: string, problem: Problem) => void;
  readonly tell: (title: string) => void;
};

export const createReviewStore = (deps: ReviewDeps, session: SessionId): ReviewStore =>
  createStore<Review>((set, get) => ({
    set: undefined,
    loading: false,
    problem: undefined,
    busy: undefined,
    report: undefined,
    load: async () => {
      if (get().loading) return;
      set({ loading: true });
      const answer = await deps.client.call('session.changes', { session });
      if (answer.ok) set({ set: answer.value, loading: false, problem: undefined });
      else set({ problem: answer.error, loading: false });
    },
    accept: async () => {
      if (get().busy !== undefined) return;
      set({ busy: 'accept' });
      const answer = await deps.client.call('session.accept', { session });
      set({ busy: undefined });
      if (answer.ok) {
        set({ report: answer.value });
        deps.tell(`${answer.value.applied} changes are in your project`);
      } else deps.report('Accepting the changes failed', answer.error);
      await get().load();
    },
    discard: async () => {
      if (get().busy !== undefined) return;
      set({ busy: 'discard' });
      const answer = await deps.client.call('session.discard', { session });
      set({ busy: undefined });
      if (answer.ok) {
        set({ set: { changes: [], cut: false } });
        deps.tell('The changes are discarded');
      } else deps.report('Discarding the changes failed', answer.error);
    },
  }));

export type ChangeTotals = {
  readonly files: number;
  readonly added: number;
  readonly removed: number;
  readonly wouldRun: readonly FileChange[];
  readonly heldBack: number;
  readonly conflicts: number;
};

export const totalsOf = (changes: readonly FileChange[]): ChangeTotals => ({
  files: changes.length,
  added: changes.reduce((sum, change) => sum + (change.added ?? 0), 0),
  removed: changes.reduce((sum, change) => sum + (change.removed ?? 0), 0),
  wouldRun: changes.filter((change) => change.wouldRun !== undefined),
  heldBack: changes.filter((change) => change.heldBack !== undefined).length,
  conflicts: changes.filter((change) => change.conflict === true).length,
});
