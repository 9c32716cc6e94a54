import { availableParallelism, totalmem } from 'node:os';
import type { HostStatus, VaultStatus } from '../contract/index.ts';
import { createEmitter, singleFlight, type Clock, type Scope } from '../kit/index.ts';
import type { Vault } from '../vault/port.ts';
import type { EngineWatch } from './engine-watch.ts';

/** How often the keychain is asked whether it is open; it may be locked from outside. */
export const VAULT_POLL_MS = 10_000;

/** The status line, kept current: engine and vault come and go. */
export type HostStatusBoard = {
  readonly current: () => HostStatus;
  readonly lookAtVault: () => Promise<void>;
  readonly onChange: (listener: (status: HostStatus) => void) => () => void;
};

export const createStatusBoard = (
  deps: {
    readonly engine: EngineWatch;
    readonly vault: Pick<Vault, 'status'>;
    readonly clock: Clock;
  },
  facts: Pick<HostStatus, 'version' | 'shell' | 'homeFolder'>,
  scope: Scope,
): HostStatusBoard => {
  const changed = createEmitter<HostStatus>();
  let vault: VaultStatus = { store: 'none', state: 'unavailable' };
  const current = (): HostStatus => ({
    ...facts,
    cores: availableParallelism(),
    memoryBytes: totalmem(),
    engine: deps.engine.status(),
    vault,
  });
  let shown = '';
  const tell = (): void => {
    const status = current();
    const text = JSON.stringify(status);
    if (text === shown) return;
    shown = text;
    changed.emit(status);
  };
  const lookAtVault = singleFlight(async () => {
    try {
      vault = await deps.vault.status();
    } catch {
      vault = { store: 'none', state: 'unavailable' };
    }
    tell();
  });
  let cancel: (() => void) | undefined;
  let closed = false;
  const poll = async (): Promise<void> => {
    await lookAtVault();
    if (!closed) cancel = deps.clock.after(VAULT_POLL_MS, () => void poll());
  };
  void poll();
  const undo = deps.engine.onChange(tell);
  scope.defer(() => {
    closed = true;
    cancel?.();
    undo();
  });
  return { current, lookAtVault, onChange: changed.on };
};
