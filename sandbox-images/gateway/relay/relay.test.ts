import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createDatagramBatch,
  MAX_FLOWS_PER_REPORT,
  parseDatagram,
  type Datagram,
} from './datagrams.ts';
import { createAsk, MAX_QUERIES, serverFailure } from './dns.ts';
import { endpointText } from './endpoint.ts';
import type { Link } from './link.ts';

const SEED = 20_261_121;
const QUERY = Buffer.from('123401000001000000000000', 'hex');
const SOURCE = { address: '192.0.2.53', port: 4000 };

describe('endpointText', () => {
  it('writes both families as authorities', () => {
    expect(endpointText({ address: '93.184.216.34', port: 443 })).toBe('93.184.216.34:443');
    expect(endpointText({ address: '2001:db8::7', port: 80 })).toBe('[2001:db8::7]:80');
  });
});

const udp4 = Buffer.from(`4500002100000000401100000808080801020304d43114e9000d0000`, 'hex');

describe('parseDatagram', () => {
  it('reads the flow and the payload length', () => {
    expect(parseDatagram(udp4)).toEqual({
      family: 4,
      source: { address: '8.8.8.8', port: 54_321 },
      destination: { address: '1.2.3.4', port: 5353 },
      bytes: 5,
    });
    const udp6 = Buffer.concat([
      Buffer.from('60000000000d1140', 'hex'),
      Buffer.from('20010db8000000000000000000000001', 'hex'),
      Buffer.from('20010db8000000000000000000000002', 'hex'),
      Buffer.from('0001000200090000', 'hex'),
    ]);
    expect(parseDatagram(udp6)).toMatchObject({
      family: 6,
      destination: { address: '2001:db8::2', port: 2 },
      bytes: 1,
    });
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const found = parseDatagram(Buffer.from(bytes));
        expect(found === undefined || found.bytes >= 0).toBe(true);
      }),
      { seed: SEED, numRuns: 5000 },
    );
  });
});

describe('createDatagramBatch', () => {
  it('tells of each flow once, with how many there were, and counts what is past the cap', () => {
    const batch = createDatagramBatch();
    const one = parseDatagram(udp4) as Datagram;
    for (let at = 0; at < 3; at++) batch.add(one);
    expect(batch.take()).toEqual([
      { family: 4, source: '8.8.8.8:54321', destination: '1.2.3.4:5353', bytes: 15, count: 3 },
    ]);
    expect(batch.take()).toEqual([]);
    for (let port = 1; port <= MAX_FLOWS_PER_REPORT + 5; port++) {
      batch.add({ ...one, destination: { ...one.destination, port } });
    }
    const reports = batch.take();
    expect(reports).toHaveLength(MAX_FLOWS_PER_REPORT);
    expect(reports.reduce((sum, { count }) => sum + count, 0)).toBe(MAX_FLOWS_PER_REPORT + 5);
  });
});

describe('createAsk', () => {
  const linkOf = (up: boolean, post: Link['post']): Link => ({
    up: () => up,
    post,
  });

  it('answers with a server failure while the link is down or says nothing of use', async () => {
    const down = createAsk(linkOf(false, () => Promise.reject(new Error('unused'))));
    expect(await down(QUERY, SOURCE)).toEqual(serverFailure(QUERY));
    expect(serverFailure(QUERY).toString('hex')).toBe('123481020000000000000000');
    for (const answer of [undefined, Buffer.alloc(11)]) {
      const ask = createAsk(linkOf(true, () => Promise.resolve(answer)));
      expect(await ask(QUERY, SOURCE)).toEqual(serverFailure(QUERY));
    }
  });

  it('drops what is too short for a header and what comes past the cap', async () => {
    let finish: (answer: Buffer) => void = () => undefined;
    const ask = createAsk(
      linkOf(
        true,
        () =>
          new Promise((resolve) => {
            finish = resolve;
          }),
      ),
    );
    expect(await ask(QUERY.subarray(0, 11), SOURCE)).toBeUndefined();
    for (let at = 0; at < MAX_QUERIES - 1; at++) void ask(QUERY, SOURCE);
    const last = ask(QUERY, SOURCE);
    expect(await ask(QUERY, SOURCE)).toBeUndefined();
    finish(QUERY);
    expect(await last).toEqual(QUERY);
  });
});
