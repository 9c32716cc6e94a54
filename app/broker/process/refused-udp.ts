import type { Readable } from 'node:stream';
import type { Program } from '../../contract/index.ts';
import { failure, type Clock } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import { HEAD_BYTES, parseDatagram, type Datagram } from './datagram-head.ts';
import type { Exchanges } from './exchange.ts';
import { flowOf } from './identify.ts';

/** Refused datagrams are recorded in batches, each flow once a batch; in milliseconds. */
export const REPORT_EVERY_MS = 500;
/** Most flows recorded in one batch; further ones are only counted, in the last of them. */
export const MAX_FLOWS_PER_REPORT = 64;
/** Datagrams after which nothing more is read before the batch is recorded; the gateway drops what waits too long. */
export const MAX_DATAGRAMS_PER_REPORT = 2000;

/** One flow, with how many datagrams it had in a batch, and their bytes. */
export type RefusedFlow = Datagram & { readonly count: number };

const keyOf = ({ source, destination }: Datagram): string =>
  [source.address, source.port, destination.address, destination.port].join(' ');

/** Gathers datagrams by their flow. */
export const createDatagramBatch = (): {
  readonly add: (datagram: Datagram) => void;
  readonly take: () => readonly RefusedFlow[];
} => {
  let flows = new Map<string, RefusedFlow>();
  let last = '';
  return {
    add: (datagram) => {
      const key = keyOf(datagram);
      const at = flows.has(key) || flows.size < MAX_FLOWS_PER_REPORT ? key : last;
      const before = flows.get(at) ?? { ...datagram, bytes: 0, count: 0 };
      const bytes = before.bytes + datagram.bytes;
      flows.set(at, { ...before, bytes, count: before.count + 1 });
      last = at;
    },
    take: () => {
      const taken = Array.from(flows.values());
      flows = new Map();
      return taken;
    },
  };
};

export type RefusedUdpDeps = {
  readonly clock: Clock;
  readonly exchanges: Exchanges;
  readonly identify: (flow: Flow) => Promise<Program | undefined>;
};

const record = (deps: RefusedUdpDeps, flow: RefusedFlow): void => {
  const { source, destination, bytes, count } = flow;
  const exchange = deps.exchanges.begin(
    {
      verdict: 'denied',
      scheme: 'udp',
      host: destination.address,
      port: destination.port,
      protocol: 'udp',
      inspected: false,
      bytesOut: bytes,
      bytesIn: 0,
    },
    deps.identify(flowOf('udp', source, destination)),
  );
  const to = `${destination.address}:${String(destination.port)}`;
  exchange.refuse(failure('egress.udp', `UDP to ${to} was refused (${String(count)} datagrams).`));
  exchange.finish();
};

/**
 * Records the datagrams whose heads a gateway shows over its link, one after the other. The kernel has refused
 * them already; what is no head of a UDP datagram is passed over.
 */
export const recordRefusedUdp = (link: Readable, deps: RefusedUdpDeps): void => {
  const batch = createDatagramBatch();
  let part = Buffer.alloc(0);
  let left = MAX_DATAGRAMS_PER_REPORT;
  let cancel: (() => void) | undefined;
  const tell = (): void => {
    cancel = undefined;
    left = MAX_DATAGRAMS_PER_REPORT;
    for (const flow of batch.take()) record(deps, flow);
  };
  link.on('data', (more: Buffer) => {
    cancel ??= deps.clock.after(REPORT_EVERY_MS, () => {
      tell();
      link.resume();
    });
    const bytes = part.length === 0 ? more : Buffer.concat([part, more]);
    let at = 0;
    for (; at + HEAD_BYTES <= bytes.length; at += HEAD_BYTES) {
      const datagram = parseDatagram(bytes.subarray(at, at + HEAD_BYTES));
      if (datagram !== undefined) batch.add(datagram);
      left -= 1;
    }
    part = Buffer.from(bytes.subarray(at));
    if (left <= 0) link.pause();
  });
  link.once('close', () => {
    cancel?.();
    tell();
  });
  link.resume();
};
