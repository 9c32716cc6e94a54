import { read } from 'node:fs';
import { endpointText, ipv4Text, ipv6Text, type Endpoint } from './endpoint.ts';

/** The packet socket that enter.c left open: refused UDP only, cut after the headers. */
export const DATAGRAM_FD = 3;
/** Datagrams are told of in batches, each flow once a batch. */
export const REPORT_EVERY_MS = 500;
/** Most flows told of in one batch; more are only counted, in the last report. */
export const MAX_FLOWS_PER_REPORT = 64;
/** Most datagrams read in one batch; the kernel drops the rest of a flood. */
export const MAX_DATAGRAMS_PER_REPORT = 2000;

const HEAD_BYTES = 64;
const UDP = 17;
const UDP_HEADER_BYTES = 8;

export type Datagram = {
  readonly family: 4 | 6;
  readonly source: Endpoint;
  readonly destination: Endpoint;
  /** Payload bytes, as the UDP header says. */
  readonly bytes: number;
};

/** What the broker is told: one flow, with how many datagrams it had since the last report. */
export type DatagramReport = {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly bytes: number;
  readonly count: number;
};

/** Reads an IPv4 (RFC 791) or IPv6 (RFC 8200) packet's head; undefined where it shows no UDP header. */
export const parseDatagram = (head: Buffer): Datagram | undefined => {
  const family = (head[0] ?? 0) >> 4;
  if (family === 4) {
    const offset = ((head[0] ?? 0) & 15) * 4;
    if (offset < 20 || head.length < offset + UDP_HEADER_BYTES || head[9] !== UDP) return undefined;
    return datagram(
      4,
      ipv4Text(head.subarray(12, 16)),
      ipv4Text(head.subarray(16, 20)),
      head,
      offset,
    );
  }
  if (family === 6) {
    if (head.length < 40 + UDP_HEADER_BYTES || head[6] !== UDP) return undefined;
    return datagram(6, ipv6Text(head.subarray(8, 24)), ipv6Text(head.subarray(24, 40)), head, 40);
  }
  return undefined;
};

const datagram = (
  family: 4 | 6,
  from: string,
  to: string,
  head: Buffer,
  offset: number,
): Datagram => ({
  family,
  source: { address: from, port: head.readUInt16BE(offset) },
  destination: { address: to, port: head.readUInt16BE(offset + 2) },
  bytes: Math.max(0, head.readUInt16BE(offset + 4) - UDP_HEADER_BYTES),
});

/** Gathers datagrams into reports, one for each flow of a batch. */
export const createDatagramBatch = (): {
  readonly add: (datagram: Datagram) => void;
  readonly take: () => readonly DatagramReport[];
} => {
  let flows = new Map<string, DatagramReport>();
  let last = '';
  return {
    add: ({ family, source, destination, bytes }) => {
      const key = `${endpointText(source)} ${endpointText(destination)}`;
      const at = flows.has(key) || flows.size < MAX_FLOWS_PER_REPORT ? key : last;
      const before = flows.get(at) ?? {
        family,
        source: endpointText(source),
        destination: endpointText(destination),
        bytes: 0,
        count: 0,
      };
      flows.set(at, { ...before, bytes: before.bytes + bytes, count: before.count + 1 });
      last = at;
    },
    take: () => {
      const reports = Array.from(flows.values());
      flows = new Map();
      return reports;
    },
  };
};

/** Reads refused datagrams for ever and tells of them in batches. */
export const watchDatagrams = (
  onReport: (report: DatagramReport) => void,
  onFailure: (failure: Error) => void,
): void => {
  const batch = createDatagramBatch();
  const head = Buffer.alloc(HEAD_BYTES);
  let budget = MAX_DATAGRAMS_PER_REPORT;
  let waiting = false;
  const next = (): void => {
    if (budget === 0) {
      waiting = true;
      return;
    }
    // A packet socket is no stream that libuv knows; a plain read on a worker thread serves it.
    read(DATAGRAM_FD, head, 0, HEAD_BYTES, null, (failure, bytes) => {
      if (failure !== null && failure.code !== 'EAGAIN' && failure.code !== 'EINTR') {
        onFailure(failure);
        return;
      }
      if (failure === null) {
        budget -= 1;
        const found = parseDatagram(head.subarray(0, bytes));
        if (found !== undefined) batch.add(found);
      }
      next();
    });
  };
  setInterval(() => {
    for (const report of batch.take()) onReport(report);
    budget = MAX_DATAGRAMS_PER_REPORT;
    if (waiting) {
      waiting = false;
      next();
    }
  }, REPORT_EVERY_MS);
  next();
};
