import { flushCompileCache } from 'node:module';
import { systemClock } from '../../kit/index.ts';
import { readOrder } from '../orders.ts';
import type { FromProcess } from '../protocol.ts';
import { exposeCollector } from './collector.ts';
import { runBroker, type BrokerOptions, type BrokerProcess } from './broker-process.ts';

/** The way to the host: Node's IPC channel, or Electron's parent port where a utility process runs this. */
type ParentPort = {
  on(event: 'message', listener: (event: { data: unknown }) => void): void;
  postMessage(message: unknown): void;
};
const parentPort = (process as { parentPort?: ParentPort }).parentPort;

/** Most notices that may wait for the host to read them; past it the ones that only inform are dropped. */
const MAX_UNSENT = 2048;
let unsent = 0;

const send = (message: FromProcess, sent: () => void = () => undefined): void => {
  if (parentPort !== undefined) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a process's port, not a window
    parentPort.postMessage(message);
    setImmediate(sent);
    return;
  }
  const informsOnly = message.type === 'open' || message.type === 'identify';
  if (!process.connected || (informsOnly && unsent >= MAX_UNSENT)) return;
  unsent += 1;
  process.send?.(message, () => {
    unsent -= 1;
    sent();
  });
};

/** Runs this process as a session's broker: takes its orders from the host until it is closed. */
export const serveProcess = (options: BrokerOptions = {}): void => {
  exposeCollector();
  // Anything unforeseen ends the process: the host starts a fresh one, and until then nothing leaves.
  const die = (failed: unknown): void => {
    const what =
      failed instanceof Error ? `${failed.name}: ${failed.stack ?? failed.message}` : 'unknown';
    process.stderr.write(`broker process: ${what}\n`);
    process.exit(70);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);
  // Without its host a broker has no orders and no record: it ends.
  process.on('disconnect', () => process.exit(0));
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);

  let broker: BrokerProcess | undefined;
  let starting = false;

  const onMessage = async (raw: unknown): Promise<void> => {
    const message = readOrder(raw);
    if (message.type === 'start') {
      if (starting) throw new Error('started twice');
      starting = true;
      try {
        broker = await runBroker(message.spec, systemClock, (note) => send(note), options);
      } catch (failed) {
        send({
          type: 'failed',
          code: 'broker.failed',
          message:
            failed instanceof Error ? failed.message.slice(0, 1000) : 'The broker could not start.',
        });
        return;
      }
      send({ type: 'ready' });
      // Node writes it at an orderly end; a broker is killed. Nothing is written that is there already.
      setImmediate(flushCompileCache);
      return;
    }
    if (message.type === 'close') {
      await broker?.close();
      send({ type: 'closed' }, () => process.exit(0));
      return;
    }
    broker?.onMessage(message);
  };

  if (parentPort !== undefined) parentPort.on('message', ({ data }) => void onMessage(data));
  else process.on('message', (raw) => void onMessage(raw));
};
