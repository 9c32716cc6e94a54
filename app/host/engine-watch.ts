import type { Code, EngineStatus } from '../contract/index.ts';
import type { Engine, FindEngine } from '../engine/port.ts';
import {
  createEmitter,
  createScope,
  fail,
  ok,
  singleFlight,
  type Clock,
  type Failure,
  type Result,
  type Scope,
} from '../kit/index.ts';

/** How often the engine is asked whether it is still there, or looked for again. */
export const ENGINE_POLL_MS = 5000;
/** Wait before a silent engine is asked a second time: letting go of it ends its sessions. */
export const ENGINE_RETRY_MS = 1000;

/** The container engine as it comes and goes. */
export type EngineWatch = {
  readonly status: () => EngineStatus;
  readonly current: () => Engine | undefined;
  /** One that answers now: asks the known one, looks again where it does not. */
  readonly require: () => Promise<Result<Engine, Failure<Code>>>;
  readonly onChange: (listener: (status: EngineStatus) => void) => () => void;
};

export const watchEngine = (
  deps: { readonly find: (scope: Scope) => ReturnType<FindEngine>; readonly clock: Clock },
  scope: Scope,
): EngineWatch => {
  const changed = createEmitter<EngineStatus>();
  let found: { readonly engine: Engine; readonly scope: Scope } | undefined;
  /** The one that was found first. Another is no replacement: what sessions left behind is on this one. */
  let address: string | undefined;
  let status: EngineStatus = { state: 'checking' };

  const tell = (next: EngineStatus): void => {
    const news = JSON.stringify(next) !== JSON.stringify(status);
    status = next;
    if (news) changed.emit(next);
  };
  const letGo = async (): Promise<void> => {
    const old = found;
    found = undefined;
    await old?.scope.close();
  };
  const answers = async (engine: Engine): Promise<boolean> => {
    if (await engine.ping()) return true;
    if (scope.signal.aborted) return false;
    await new Promise<void>((resolve) => {
      deps.clock.after(ENGINE_RETRY_MS, resolve);
    });
    return engine.ping();
  };
  const look = singleFlight(async (): Promise<Result<Engine, Failure<Code>>> => {
    if (found !== undefined && (await answers(found.engine))) return ok(found.engine);
    await letGo();
    const engineScope = createScope('engine');
    const result = await deps.find(engineScope);
    if (!result.ok || scope.signal.aborted) {
      await engineScope.close();
      if (!result.ok) {
        tell({ state: address === undefined ? 'missing' : 'lost', problem: result.error });
      }
      return result;
    }
    if (address !== undefined && result.value.address !== address) {
      await engineScope.close();
      const other = fail(
        'engine.lost',
        `The container engine at ${address} stopped answering.`,
        `Start it again, or restart Glovebox to use the one at ${result.value.address}.`,
      );
      tell({ state: 'lost', problem: other.error });
      return other;
    }
    found = { engine: result.value, scope: engineScope };
    ({ address } = result.value);
    tell({ state: 'ready', title: result.value.title });
    return result;
  });

  let cancel: (() => void) | undefined;
  let closed = false;
  const poll = async (): Promise<void> => {
    try {
      await look();
    } finally {
      if (!closed) cancel = deps.clock.after(ENGINE_POLL_MS, () => void poll());
    }
  };
  void poll();
  scope.defer(async () => {
    closed = true;
    cancel?.();
    await look().catch(() => undefined);
    await letGo();
  });

  return {
    status: () => status,
    current: () => found?.engine,
    require: look,
    onChange: changed.on,
  };
};
