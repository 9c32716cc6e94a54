import {
  METHODS,
  ServerMessage,
  STREAMS,
  type MethodInput,
  type MethodName,
  type MethodOutput,
  type StreamInput,
  type StreamItem,
  type StreamName,
  type Wire,
} from '../../contract/index.ts';
import { err, ok, type Failure, type Result, type Scope } from '../../kit/index.ts';
import type { SessionHost } from '../port.ts';

/** A client over an in-memory wire that holds every answer and item against the contract. */
export type WireClient = {
  readonly call: <M extends MethodName>(
    method: M,
    input: MethodInput<M>,
  ) => Promise<Result<MethodOutput<M>>>;
  readonly subscribe: <S extends StreamName>(
    stream: S,
    input: StreamInput<S>,
    onItem: (item: StreamItem<S>) => void,
  ) => { readonly stop: () => void; readonly ended: Promise<Failure | undefined> };
};

export const connectClient = (host: Pick<SessionHost, 'serve'>, scope: Scope): WireClient => {
  let toHost: ((message: string) => void) | undefined;
  let nextId = 0;
  const calls = new Map<number, (message: ServerMessage) => void>();
  const streams = new Map<number, (message: ServerMessage) => void>();
  const wire: Wire = {
    // As a real wire does, messages arrive later and one after the other.
    send: (text) => {
      setImmediate(() => {
        const message = ServerMessage.parse(JSON.parse(text));
        (calls.get(message.id) ?? streams.get(message.id))?.(message);
      });
    },
    onMessage: (listener) => {
      toHost = listener;
    },
    onClose: () => undefined,
    close: () => undefined,
  };
  host.serve(wire, scope);
  const say = (message: object): void => {
    setImmediate(() => toHost?.(JSON.stringify(message)));
  };
  return {
    call: <M extends MethodName>(method: M, input: MethodInput<M>) =>
      new Promise<Result<MethodOutput<M>>>((resolve, reject) => {
        const id = (nextId += 1);
        calls.set(id, (message) => {
          calls.delete(id);
          if (message.type === 'failure') {
            const { code, message: words, hint } = message.problem;
            resolve(
              err(hint === undefined ? { code, message: words } : { code, message: words, hint }),
            );
            return;
          }
          const output = METHODS[method].output.safeParse(
            message.type === 'result' ? message.output : undefined,
          );
          if (output.success) resolve(ok(output.data as MethodOutput<M>));
          else
            reject(new Error(`${method} answered against its contract: ${output.error.message}`));
        });
        say({ type: 'call', id, method, input });
      }),
    subscribe: (stream, input, onItem) => {
      const id = (nextId += 1);
      let expected = 0;
      const { promise, resolve, reject } = Promise.withResolvers<Failure | undefined>();
      streams.set(id, (message) => {
        if (message.type === 'item') {
          const item = STREAMS[stream].item.safeParse(message.item);
          if (!item.success) reject(new Error(`${stream}: ${item.error.message}`));
          else if (message.seq !== expected)
            reject(new Error(`${stream} skipped to ${message.seq}`));
          else onItem(item.data as Parameters<typeof onItem>[0]);
          expected += 1;
        } else if (message.type === 'end' || message.type === 'failure') {
          streams.delete(id);
          resolve(message.problem as Failure | undefined);
        }
      });
      say({ type: 'subscribe', id, stream, input });
      return { stop: () => say({ type: 'unsubscribe', id }), ended: promise };
    },
  };
};
