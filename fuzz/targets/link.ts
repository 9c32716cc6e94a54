import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { HEAD_BYTES, parseDatagram } from '../../app/broker/process/datagram-head.ts';
import { datagramHead } from '../../app/broker/testing/datagram-head.ts';
import { connectRelay, dnsQuery } from '../../app/broker/testing/relay.ts';
import { cut } from '../mutate.ts';
import { must, mustEqual, type OpenTarget, type Target } from '../target.ts';
import {
  beyond,
  egressSince,
  HOST,
  openRig,
  send,
  SETTLE_MS,
  until,
  WAIT_MS,
} from './broker-rig.ts';
import { u8 } from './streams.ts';

/** What the first byte of a case says of the rest. */
const WAYS = ['heads over the link', 'a DNS datagram', 'a DNS connection'] as const;

/** Says everything on a DNS connection and waits until it is over, or quiet. */
const sayOnConnection = async (port: number, chunks: readonly Buffer[]): Promise<void> => {
  const socket = connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  await send(socket, chunks, () => false);
};

const sayInDatagram = async (port: number, bytes: Buffer): Promise<void> => {
  const socket = createSocket('udp4');
  socket.on('error', () => undefined);
  await new Promise((resolve) => {
    socket.send(bytes, port, '127.0.0.1', resolve);
  });
  socket.close();
};

const openLink = async (): Promise<OpenTarget> => {
  const { rig, mustLive } = await openRig([], [HOST]);
  return {
    check: async (bytes, random) => {
      const way = (bytes[0] ?? 0) % WAYS.length;
      const body = bytes.subarray(1);
      const from = rig.events.length;
      if (way === 0) {
        const flows = new Set<string>();
        for (let at = 0; at + HEAD_BYTES <= body.length; at += HEAD_BYTES) {
          const datagram = parseDatagram(body.subarray(at, at + HEAD_BYTES));
          if (datagram !== undefined) flows.add(datagram.destination.address);
        }
        // A link of its own each time: what is left of a head must not meet the next case.
        const relay = await connectRelay(rig.folder);
        for (const part of cut(body, random)) relay.link.write(part);
        relay.link.end();
        const missing = (): readonly string[] =>
          beyond(
            Array.from(flows),
            egressSince(rig, from)
              .filter(({ scheme }) => scheme === 'udp')
              .map(({ host }) => host),
          );
        await until(() => missing().length === 0, WAIT_MS);
        mustEqual(missing(), [], 'refused datagrams that are not recorded');
        relay.close();
      } else if (way === 1) {
        await sayInDatagram(rig.relay.dns.datagrams, body);
      } else {
        await sayOnConnection(rig.relay.dns.connections, cut(body, random));
      }
      must((await rig.relay.addressOf(HOST)).startsWith('198.'), 'no name is answered any more');
      await mustLive();
    },
    close: () => rig.close(),
  };
};

/** Refused datagrams of IPv4, of IPv6, and of IPv4 with all the options it can have. */
const HEADS = [
  datagramHead([8, 8, 8, 8], [1, 2, 3, 4], 5353, 5),
  datagramHead(Array(16).fill(0x20), Array(16).fill(0x21), 443, 1),
  Buffer.concat([u8(0x4f), datagramHead([8, 8, 8, 8], [1, 2, 3, 4], 5353, 5).subarray(1)]),
] as const;

export const LINK_TARGET: Target = {
  name: 'link',
  maxBytes: 6000,
  caseMs: SETTLE_MS + 5000,
  seeds: [
    Buffer.concat([u8(0), ...HEADS]),
    Buffer.concat([u8(1), dnsQuery(HOST)]),
    Buffer.concat([u8(1), dnsQuery(HOST).subarray(0, 14)]),
    Buffer.concat([u8(2), u8(0), u8(dnsQuery(HOST).length), dnsQuery(HOST)]),
    Buffer.concat([u8(2), u8(0xff), u8(0xff), dnsQuery(HOST)]),
  ],
  generate: (random) => {
    const query = dnsQuery(random.pick([HOST, 'a.b', '']), random.pick([1, 28, 255]));
    const message = random.oneIn(3) ? query.subarray(0, random.below(query.length)) : query;
    const framed = Buffer.concat([u8(0), u8(random.oneIn(4) ? 255 : message.length), message]);
    const rest = random.pick([
      () => Buffer.concat(Array.from({ length: random.below(9) }, () => random.pick(HEADS))),
      () => message,
      () => Buffer.concat(Array.from({ length: 1 + random.below(40) }, () => framed)),
      () => random.bytes(random.below(300)),
    ] as const);
    return Buffer.concat([u8(random.below(WAYS.length)), rest()]);
  },
  open: openLink,
};
