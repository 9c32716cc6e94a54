import {
  ClientMessage,
  CODE_LIST,
  MAX_CALLS_UNDER_WAY,
  MAX_MESSAGE_CHARS,
  MAX_MESSAGE_JSON_CHARS,
  MAX_SUBSCRIPTIONS,
  METHODS,
  STREAMS,
  type Code,
  type MethodName,
  type Problem,
  type ServerMessage,
  type StreamName,
  type Wire,
} from '../contract/index.ts';
import { failure, ok, type Failure, type Result, type Scope } from '../kit/index.ts';
import type { Log } from '../session/index.ts';
import type { Handlers, StreamOpeners } from './port.ts';

/** How far into a message that is too large its id is looked for. */
const ID_WITHIN_CHARS = 256;

const codes: ReadonlySet<string> = new Set(CODE_LIST);

const problemOf = ({ code, message, hint }: Failure): Problem => ({
  code: codes.has(code) ? (code as Code) : 'wire.internal',
  message: message.slice(0, MAX_MESSAGE_CHARS),
  ...(hint === undefined ? {} : { hint: hint.slice(0, MAX_MESSAGE_CHARS) }),
});

const isId = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const INTERNAL = failure(
  'wire.internal',
  'Something went wrong inside Glovebox; the log has more.',
);

/** Which part of an input does not fit, without its value: inputs carry secrets. */
const misfit = (
  what: string,
  issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[],
): Failure<Code> => {
  const [issue] = issues;
  const where = issue === undefined || issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`;
  return failure(
    'wire.bad-message',
    `The input of ${what} does not fit${where}: ${issue?.message ?? ''}`,
  );
};

/** The message, or its failure with the id to answer to; undefined where there is nobody to answer. */
const parse = (
  text: string,
): Result<ClientMessage, { readonly id: number; readonly why: Failure }> | undefined => {
  if (text.length > MAX_MESSAGE_JSON_CHARS) {
    const id = Number(/"id":(\d{1,16})/.exec(text.slice(0, ID_WITHIN_CHARS))?.[1] ?? Number.NaN);
    const why = failure('wire.too-large', 'The message is larger than the limit.');
    return isId(id) ? { ok: false, error: { id, why } } : undefined;
  }
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch {
    return undefined; // Not even JSON. The parser's words would quote the message.
  }
  const parsed = ClientMessage.safeParse(message);
  if (parsed.success) return ok(parsed.data);
  const loose = message as {
    id?: unknown;
    type?: unknown;
    method?: unknown;
    stream?: unknown;
  } | null;
  const id = typeof loose === 'object' ? loose?.id : undefined;
  if (!isId(id)) return undefined;
  const unknown =
    (loose?.type === 'call' &&
      typeof loose.method === 'string' &&
      !Object.hasOwn(METHODS, loose.method)) ||
    (loose?.type === 'subscribe' &&
      typeof loose.stream === 'string' &&
      !Object.hasOwn(STREAMS, loose.stream));
  const why = unknown
    ? failure('wire.unknown-method', 'There is no such call or stream.')
    : failure('wire.bad-message', 'The message does not fit the contract.');
  return { ok: false, error: { id, why } };
};

type AnyHandler = (input: unknown) => Promise<Result<unknown, Failure>>;
type AnyOpener = (
  input: unknown,
  sink: { readonly send: (item: unknown) => void; readonly end: (failed?: Failure) => void },
) => Promise<Result<() => void, Failure>>;

type Subscription = { stop: (() => void) | undefined; ended: boolean };

/**
 * Speaks the contract over one connection. Everything that comes in is parsed here, once; whatever
 * goes wrong is answered with a coded failure, and what cannot even be answered closes the connection.
 */
export const serveWire = (
  wire: Wire,
  deps: { readonly handlers: Handlers; readonly streams: StreamOpeners; readonly log: Log },
  scope: Scope,
): void => {
  const subscriptions = new Map<number, Subscription>();
  const calls = new Set<number>();
  let closed = false;

  const close = (): void => {
    if (closed) return;
    closed = true;
    for (const subscription of subscriptions.values()) {
      subscription.ended = true;
      subscription.stop?.();
    }
    subscriptions.clear();
    wire.close();
  };

  const send = (message: ServerMessage): boolean => {
    if (closed) return false;
    const text = JSON.stringify(message);
    if (text.length > MAX_MESSAGE_JSON_CHARS) return false;
    try {
      wire.send(text);
      return true;
    } catch (why) {
      deps.log('warn', 'a connection broke while it was written to', { why });
      close();
      return false;
    }
  };
  const refuse = (id: number, why: Failure): void => {
    send({ type: 'failure', id, problem: problemOf(why) });
  };

  const call = async (id: number, method: MethodName, input: unknown): Promise<void> => {
    if (calls.has(id)) {
      refuse(id, failure('wire.bad-message', `A call ${id} is under way already.`));
      return;
    }
    if (calls.size >= MAX_CALLS_UNDER_WAY) {
      refuse(
        id,
        failure('wire.too-large', `More than ${MAX_CALLS_UNDER_WAY} calls are under way.`),
      );
      return;
    }
    const parsed = METHODS[method].input.safeParse(input);
    if (!parsed.success) {
      refuse(id, misfit(method, parsed.error.issues));
      return;
    }
    calls.add(id);
    try {
      const result = await (deps.handlers[method] as AnyHandler)(parsed.data);
      if (!result.ok) refuse(id, result.error);
      else if (!send({ type: 'result', id, output: result.value }) && !closed) {
        refuse(id, failure('wire.too-large', `The answer of ${method} is larger than the limit.`));
      }
    } catch (why) {
      deps.log('error', `${method} broke`, { why });
      refuse(id, INTERNAL);
    } finally {
      calls.delete(id);
    }
  };

  const end = (id: number, subscription: Subscription, failed?: Failure): void => {
    if (subscription.ended) return;
    subscription.ended = true;
    subscription.stop?.();
    subscriptions.delete(id);
    send(
      failed === undefined ? { type: 'end', id } : { type: 'end', id, problem: problemOf(failed) },
    );
  };

  const subscribe = async (id: number, stream: StreamName, input: unknown): Promise<void> => {
    if (subscriptions.has(id)) {
      refuse(id, failure('wire.bad-message', `A subscription ${id} is open already.`));
      return;
    }
    if (subscriptions.size >= MAX_SUBSCRIPTIONS) {
      refuse(
        id,
        failure('wire.too-large', `More than ${MAX_SUBSCRIPTIONS} subscriptions are open.`),
      );
      return;
    }
    const parsed = STREAMS[stream].input.safeParse(input);
    if (!parsed.success) {
      refuse(id, misfit(stream, parsed.error.issues));
      return;
    }
    const subscription: Subscription = { stop: undefined, ended: false };
    subscriptions.set(id, subscription);
    let seq = 0;
    const sink = {
      send: (item: unknown): void => {
        if (subscription.ended) return;
        if (!send({ type: 'item', id, seq, item })) {
          end(
            id,
            subscription,
            failure('wire.too-large', `An item of ${stream} is larger than the limit.`),
          );
        }
        seq += 1;
      },
      end: (failed?: Failure): void => end(id, subscription, failed),
    };
    try {
      const opened = await (deps.streams[stream] as AnyOpener)(parsed.data, sink);
      if (!opened.ok) {
        end(id, subscription, opened.error);
        return;
      }
      // The other side may have left while it was opened.
      if (subscription.ended) opened.value();
      else subscription.stop = opened.value;
    } catch (why) {
      deps.log('error', `the stream ${stream} broke`, { why });
      end(id, subscription, INTERNAL);
    }
  };

  const unsubscribe = (id: number): void => {
    const subscription = subscriptions.get(id);
    // It may have ended by itself a moment ago.
    if (subscription !== undefined) end(id, subscription);
  };

  wire.onMessage((text) => {
    if (closed) return;
    const parsed = parse(text);
    if (parsed === undefined) {
      deps.log('warn', 'a connection sent what is no message and was closed');
      close();
      return;
    }
    if (!parsed.ok) {
      refuse(parsed.error.id, parsed.error.why);
      return;
    }
    const message = parsed.value;
    switch (message.type) {
      case 'call':
        void call(message.id, message.method, message.input);
        break;
      case 'subscribe':
        void subscribe(message.id, message.stream, message.input);
        break;
      case 'unsubscribe':
        unsubscribe(message.id);
        break;
      default:
        close();
    }
  });
  wire.onClose(close);
  scope.defer(close);
};
