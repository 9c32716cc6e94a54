import { createStore, type StoreApi } from 'zustand/vanilla';
import type { Guarantee, HostStatus, Problem } from '../../../app/contract/index.ts';
import type { Scope } from '../../../app/kit/index.ts';
import type { ConnectionState, WireClient } from '../../wire/index.ts';

export type Status = {
  readonly host: HostStatus | undefined;
  readonly connection: ConnectionState;
  readonly guarantees: readonly Guarantee[] | undefined;
  readonly guaranteesProblem: Problem | undefined;
  readonly loadGuarantees: () => Promise<void>;
};
export type StatusStore = StoreApi<Status>;

/** What the host says of itself, and whether it still answers. */
export const createStatusStore = (client: WireClient, scope: Scope): StatusStore => {
  const store = createStore<Status>((set) => ({
    host: undefined,
    connection: client.connection(),
    guarantees: undefined,
    guaranteesProblem: undefined,
    loadGuarantees: async () => {
      const answer = await client.call('host.guarantees', {});
      if (answer.ok) set({ guarantees: answer.value, guaranteesProblem: undefined });
      else set({ guaranteesProblem: answer.error });
    },
  }));
  scope.defer(
    client.onConnection((connection) => {
      store.setState({ connection });
    }),
  );
  scope.defer(
    client.subscribe(
      'host',
      {},
      {
        onItem: (host) => {
          store.setState({ host });
        },
      },
    ),
  );
  return store;
};
