import { readdirSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { forkProcess } from '../../app/broker/index.ts';
import { createRig, type Rig } from '../../app/broker/testing/setup.ts';
import type { EgressDraft } from '../../app/contract/index.ts';
import { must } from '../target.ts';

/** What targets share that need the running broker: a process of its own, a relay, and a server behind it. */

export const HOST = 'api.test';
/** How long a case waits for what has to come, in milliseconds. */
export const WAIT_MS = 8000;
/** How long a connection may stay open after the last byte before the program gives up, in milliseconds. */
const PATIENCE_MS = 150;
/**
 * Descriptors and megabytes that the broker process may have more than at first, once all is quiet: a
 * connection whose program only ended its side is closed after two minutes.
 */
const MORE_DESCRIPTORS = 700;
const MORE_MEGABYTES = 400;
/** How long the broker process may take to give back what broken connections held, in milliseconds. */
export const SETTLE_MS = 25_000;

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const until = async (test: () => boolean, ms: number): Promise<boolean> => {
  const end = performance.now() + ms;
  while (!test()) {
    if (performance.now() > end) return false;
    await pause(2);
  }
  return true;
};

export const egressSince = (rig: Rig, from: number): readonly EgressDraft[] =>
  rig.events.slice(from).filter((event): event is EgressDraft => event.kind === 'egress');

type Watched = { readonly rig: Rig; readonly mustLive: () => Promise<void> };

/** A rig whose process is watched: its life, its descriptors and its memory. */
export const openRig = async (
  resolve: readonly string[],
  allow: readonly string[],
): Promise<Watched> => {
  let pid = 0;
  const rig = await createRig({
    allow,
    resolve,
    start: {
      spawn: (entry, env) => {
        const child = forkProcess(entry, env);
        pid = child.pid ?? 0;
        return child;
      },
    },
  });
  const descriptors = (): number => readdirSync(`/proc/${String(pid)}/fd`).length;
  const megabytes = (): number =>
    Number(
      /VmRSS:\s+([0-9]+)/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0,
    ) / 1024;
  const first = [descriptors(), megabytes()] as const;
  return {
    rig,
    mustLive: async () => {
      must(
        rig.states.every((state) => state === 'linked' || state === 'ready' || state === 'running'),
        `the broker is ${rig.states.join()}`,
      );
      // Connections that stopped in the middle wait for their time to be over.
      await until(() => descriptors() <= first[0] + MORE_DESCRIPTORS, SETTLE_MS);
      const now = [descriptors(), megabytes()] as const;
      must(now[0] <= first[0] + MORE_DESCRIPTORS, `${String(now[0])} descriptors are open`);
      must(now[1] <= first[1] + MORE_MEGABYTES, `${String(now[1])} MB are in use`);
    },
  };
};

/** Sends bytes as a program would, and waits until the connection is over or nothing more can come. */
export const send = async (
  socket: Socket,
  chunks: readonly Buffer[],
  quiet: () => boolean,
): Promise<void> => {
  let over = false;
  socket.on('error', () => undefined);
  socket.once('close', () => {
    over = true;
  });
  socket.resume();
  for (const chunk of chunks) {
    if (over || !socket.writable) break;
    socket.write(chunk);
    await new Promise((resolve) => setImmediate(resolve));
  }
  socket.end();
  await until(() => over || quiet(), PATIENCE_MS);
  socket.destroy();
};

/** The multiset difference: what `one` has that `other` has not. */
export const beyond = (one: readonly string[], other: readonly string[]): readonly string[] => {
  const left = [...other];
  return one.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
};
