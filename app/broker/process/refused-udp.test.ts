import { PassThrough } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createManualClock } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import type { BrokerDraft } from '../protocol.ts';
import { datagramHead } from '../testing/datagram-head.ts';
import { HEAD_BYTES, parseDatagram } from './datagram-head.ts';
import { createExchanges } from './exchange.ts';
import {
  MAX_DATAGRAMS_PER_REPORT,
  MAX_FLOWS_PER_REPORT,
  recordRefusedUdp,
  REPORT_EVERY_MS,
} from './refused-udp.ts';

const SEED = 20_261_122;
const FROM = [8, 8, 8, 8];
const TO = [1, 2, 3, 4];

describe('parseDatagram', () => {
  it('reads the flow and the payload length of both families', () => {
    expect(parseDatagram(datagramHead(FROM, TO, 5353, 5))).toEqual({
      source: { address: '8.8.8.8', port: 5000 },
      destination: { address: '1.2.3.4', port: 5353 },
      bytes: 5,
    });
    const v6 = (last: number): number[] => [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), last];
    expect(parseDatagram(datagramHead(v6(1), v6(2), 2, 1))).toEqual({
      source: { address: '2001:db8::1', port: 5000 },
      destination: { address: '2001:db8::2', port: 2 },
      bytes: 1,
    });
  });

  it('reads past as many options as an IPv4 header can have, and no other protocol', () => {
    const plain = datagramHead(FROM, TO, 443, 9);
    const options = Buffer.concat([plain.subarray(0, 20), Buffer.alloc(40, 1), plain.subarray(20)]);
    options[0] = 0x4f;
    const cut = options.subarray(0, HEAD_BYTES);
    expect(parseDatagram(cut)).toMatchObject({ destination: { port: 443 }, bytes: 9 });
    const tcp = Buffer.from(plain);
    tcp[9] = 6;
    expect(parseDatagram(tcp)).toBeUndefined();
    expect(parseDatagram(plain.subarray(0, 27))).toBeUndefined();
    expect(parseDatagram(Buffer.alloc(HEAD_BYTES))).toBeUndefined();
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: HEAD_BYTES }), (bytes) => {
        const found = parseDatagram(Buffer.from(bytes));
        expect(found === undefined || found.bytes >= 0).toBe(true);
      }),
      { seed: SEED, numRuns: 5000 },
    );
  });
});

describe('recordRefusedUdp', () => {
  const open = () => {
    const clock = createManualClock();
    const recorded: BrokerDraft[] = [];
    const asked: Flow[] = [];
    const exchanges = createExchanges({
      room: () => true,
      crowded: () => false,
      clock,
      record: (draft) => recorded.push(draft),
      open: () => undefined,
      redact: (text) => text,
    });
    const link = new PassThrough();
    recordRefusedUdp(link, {
      clock,
      exchanges,
      identify: (flow) => {
        asked.push(flow);
        return Promise.resolve({ pid: 7, command: ['dig'] });
      },
    });
    const say = async (bytes: Buffer): Promise<void> => {
      link.write(bytes);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const tell = async (): Promise<void> => {
      clock.advance(REPORT_EVERY_MS);
      await new Promise((resolve) => setImmediate(resolve));
    };
    const told = () => recorded.flatMap((draft) => (draft.kind === 'egress' ? [draft] : []));
    return { link, say, tell, told, asked };
  };

  it('tells of each flow once a batch, with its bytes and its program, however it arrives', async () => {
    const { say, tell, told, asked } = open();
    const heads = Buffer.concat([
      datagramHead(FROM, TO, 443, 5),
      datagramHead(FROM, TO, 443, 6),
      datagramHead(FROM, TO, 53_000, 7),
    ]);
    for (let at = 0; at < heads.length; at += 7) await say(heads.subarray(at, at + 7));
    expect(told()).toEqual([]);
    await tell();
    expect(told()).toMatchObject([
      { host: '1.2.3.4', port: 443, bytesOut: 11, code: 'egress.udp', program: { pid: 7 } },
      { host: '1.2.3.4', port: 53_000, bytesOut: 7, verdict: 'denied', scheme: 'udp' },
    ]);
    expect(asked[0]).toMatchObject({ protocol: 'udp', localAddress: '8.8.8.8', localPort: 5000 });
    await tell();
    expect(told()).toHaveLength(2);
  });

  it('records what is past the cap of flows in the last of them', async () => {
    const { say, tell, told } = open();
    const ports = Array.from({ length: MAX_FLOWS_PER_REPORT + 5 }, (_, at) => 1000 + at);
    await say(Buffer.concat(ports.map((port) => datagramHead(FROM, TO, port, 1))));
    await tell();
    expect(told()).toHaveLength(MAX_FLOWS_PER_REPORT);
    expect(told().reduce((sum, { bytesOut }) => sum + bytesOut, 0)).toBe(ports.length);
  });

  it('reads no more than a batch may hold before that is told', async () => {
    const { link, say, tell, told } = open();
    await say(Buffer.alloc(HEAD_BYTES * MAX_DATAGRAMS_PER_REPORT));
    expect(link.isPaused()).toBe(true);
    await say(datagramHead(FROM, TO, 443, 1));
    await tell();
    expect(told()).toEqual([]);
    expect(link.isPaused()).toBe(false);
    await tell();
    expect(told()).toHaveLength(1);
  });

  it('tells what it has when the link ends', async () => {
    const { link, say, told } = open();
    await say(datagramHead(FROM, TO, 443, 1));
    link.destroy();
    await new Promise((resolve) => setImmediate(resolve));
    expect(told()).toHaveLength(1);
  });
});
