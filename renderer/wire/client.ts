import {
  CODES,
  METHODS,
  STREAMS,
  ServerMessage,
  type ClientMessage,
  type Code,
  type MethodInput,
  type MethodName,
  type MethodOutput,
  type Problem,
  type StreamInput,
  type StreamItem,
  type StreamName,
  type Wire,
} from '../../app/contract/index.ts';
import {
  createEmitter,
  err,
  ok,
  type Clock,
  type Result,
  type Scope,
} from '../../app/kit/index.ts';

/** First pause before a connection is tried again; doubles up to `MAX_RETRY_MS`. */
export const MIN_RETRY_MS = 500;
export const MAX_RETRY_MS = 15_000;
/** Pause before a stream that ended with a problem is asked for again. */
export const STREAM_RETRY_MS = 2_000;

export type ConnectionState =
  | { readonly type: 'connecting' }
  | { readonly type: 'open' }
  /** `retryAt`: when it is tried again, milliseconds since the epoch. */
  | { readonly type: 'lost'; readonly attempt: number; readonly retryAt: number };

/** Who listens to a stream. */
export type StreamObserver<S extends StreamName> = {
  readonly onItem: (item: StreamItem<S>) => void;
  /** The stream begins again (a gap, a new connection): what follows is a fresh snapshot. */
  readonly onRestart?: () => void;
  /** The stream is over; with a problem where it broke. */
  readonly onEnd?: (problem: Problem | undefined) => void;
};

/** The host as the window sees it: typed calls and streams that mend themselves. */
export type WireClient = {
  readonly call: <M extends MethodName>(
    method: M,
    input: MethodInput<M>,
  ) => Promise<Result<MethodOutput<M>, Problem>>;
  /** Returns how to stop listening. */
  readonly subscribe: <S extends StreamName>(
    stream: S,
    input: StreamInput<S>,
    observer: StreamObserver<S>,
  ) => () => void;
  readonly connection: () => ConnectionState;
  readonly onConnection: (listener: (state: ConnectionState) => void) => () => void;
  readonly retryNow: () => void;
};

/** Streams that ended for one of these reasons stay ended: asking again cannot help. */
const FINAL: ReadonlySet<Code> = new Set<Code>([
  'session.not-found',
  'session.not-running',
  'wire.unknown-method',
  'wire.bad-message',
  'not-yet',
]);

export const problem = (code: Code, hint?: string): Problem =>
  hint === undefined ? { code, message: CODES[code] } : { code, message: CODES[code], hint };

type Pending = { readonly method: MethodName; readonly settle: (message: ServerMessage) => void };
type Subscription = {
  readonly stream: StreamName;
  readonly input: unknown;
  readonly observer: StreamObserver<StreamName>;
  id: number;
  /** Number of the last item; undefined before the first. */
  last: number | undefined;
  started: boolean;
  cancelRetry: (() => void) | undefined;
};

export type WireClientDeps = {
  readonly connect: () => Promise<Wire>;
  readonly clock: Clock;
  /** Parses what the host sends by the contract (development and tests); the host parses its own side always. */
  readonly check: boolean;
};

export const createWireClient = (deps: WireClientDeps, scope: Scope): WireClient => {
  const { clock } = deps;
  const changed = createEmitter<ConnectionState>();
  const pending = new Map<number, Pending>();
  const subscriptions = new Map<number, Subscription>();
  /** Calls made before the first connection stood. */
  let waiting: (() => void)[] = [];
  let state: ConnectionState = { type: 'connecting' };
  let wire: Wire | undefined;
  let nextId = 1;
  let attempt = 0;
  let cancelRetry: (() => void) | undefined;
  let closed = false;

  const setState = (next: ConnectionState): void => {
    state = next;
    changed.emit(next);
  };
  const post = (message: ClientMessage): void => wire?.send(JSON.stringify(message));

  const ask = (subscription: Subscription): void => {
    subscriptions.delete(subscription.id);
    subscription.cancelRetry?.();
    subscription.cancelRetry = undefined;
    subscription.id = nextId++;
    subscription.last = undefined;
    subscriptions.set(subscription.id, subscription);
    if (subscription.started) subscription.observer.onRestart?.();
    subscription.started = true;
    post({
      type: 'subscribe',
      id: subscription.id,
      stream: subscription.stream,
      input: subscription.input,
    });
  };

  const onItem = (message: Extract<ServerMessage, { type: 'item' }>): void => {
    const subscription = subscriptions.get(message.id);
    if (subscription === undefined) return;
    if (subscription.last !== undefined && message.seq !== subscription.last + 1) {
      // Something was lost on the way: the only safe answer is to ask for the whole again.
      post({ type: 'unsubscribe', id: subscription.id });
      ask(subscription);
      return;
    }
    subscription.last = message.seq;
    const { item: schema } = STREAMS[subscription.stream];
    const item = deps.check
      ? schema.safeParse(message.item)
      : { success: true as const, data: message.item };
    if (item.success) subscription.observer.onItem(item.data as StreamItem<StreamName>);
    else console.error(subscription.stream, item.error.message);
  };

  const onEnd = (id: number, reason: Problem | undefined): void => {
    const subscription = subscriptions.get(id);
    if (subscription === undefined) return;
    subscription.observer.onEnd?.(reason);
    if (reason === undefined || FINAL.has(reason.code)) {
      subscriptions.delete(id);
      return;
    }
    subscription.cancelRetry = clock.after(STREAM_RETRY_MS, () => {
      if (state.type === 'open' && subscriptions.has(id)) ask(subscription);
    });
  };

  const onMessage = (text: string): void => {
    const parsed = ServerMessage.safeParse(JSON.parse(text));
    if (!parsed.success) {
      console.error('A message from the host does not fit the contract.', parsed.error.message);
      return;
    }
    const message = parsed.data;
    if (message.type === 'item') onItem(message);
    else if (message.type === 'end') onEnd(message.id, message.problem);
    else {
      const call = pending.get(message.id);
      pending.delete(message.id);
      call?.settle(message);
    }
  };

  const failPending = (): void => {
    const lost = Array.from(pending.entries());
    pending.clear();
    for (const [id, call] of lost) {
      call.settle({ type: 'failure', id, problem: problem('wire.lost') });
    }
  };

  const scheduleRetry = (): void => {
    if (closed) return;
    const pause = Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** attempt);
    attempt += 1;
    setState({ type: 'lost', attempt, retryAt: clock.now() + pause });
    cancelRetry = clock.after(pause, () => void open());
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  };

  const open = async (): Promise<void> => {
    cancelRetry?.();
    cancelRetry = undefined;
    let opened: Wire;
    try {
      opened = await deps.connect();
    } catch {
      // Why it failed is the transport's business; the banner shows that it did and when it is tried again.
      scheduleRetry();
      return;
    }
    if (closed) {
      opened.close();
      return;
    }
    wire = opened;
    opened.onMessage((text) => {
      if (wire === opened) onMessage(text);
    });
    opened.onClose(() => {
      if (wire !== opened) return;
      wire = undefined;
      failPending();
      scheduleRetry();
    });
    attempt = 0;
    setState({ type: 'open' });
    for (const subscription of Array.from(subscriptions.values())) ask(subscription);
    const calls = waiting;
    waiting = [];
    for (const call of calls) call();
  };

  scope.defer(() => {
    closed = true;
    cancelRetry?.();
    for (const subscription of subscriptions.values()) subscription.cancelRetry?.();
    subscriptions.clear();
    failPending();
    wire?.close();
    wire = undefined;
  });
  void open();

  return {
    call: <M extends MethodName>(method: M, input: MethodInput<M>) =>
      new Promise<Result<MethodOutput<M>, Problem>>((resolve) => {
        const start = (): void => {
          if (wire === undefined) {
            resolve(err(problem('wire.lost')));
            return;
          }
          const id = nextId++;
          pending.set(id, {
            method,
            settle: (message) => {
              if (message.type !== 'result') {
                resolve(
                  err(message.type === 'failure' ? message.problem : problem('wire.bad-message')),
                );
                return;
              }
              const output = deps.check
                ? METHODS[method].output.safeParse(message.output)
                : { success: true as const, data: message.output };
              if (!output.success) console.error(method, output.error.message);
              resolve(
                output.success
                  ? ok(output.data as MethodOutput<M>)
                  : err(problem('wire.bad-message')),
              );
            },
          });
          post({ type: 'call', id, method, input });
        };
        if (state.type === 'connecting') waiting.push(start);
        else start();
      }),

    subscribe: (stream, input, observer) => {
      const subscription: Subscription = {
        stream,
        input,
        // The map forgets which stream it is; `stream` remembers, and items are parsed by it.
        observer,
        id: nextId++,
        last: undefined,
        started: false,
        cancelRetry: undefined,
      };
      subscriptions.set(subscription.id, subscription);
      if (wire !== undefined) ask(subscription);
      return () => {
        subscription.cancelRetry?.();
        if (subscriptions.delete(subscription.id)) {
          post({ type: 'unsubscribe', id: subscription.id });
        }
      };
    },

    connection: () => state,
    onConnection: (listener) => changed.on(listener),
    retryNow: () => {
      if (state.type !== 'lost') return;
      cancelRetry?.();
      void open();
    },
  };
};
