import {
  readDnsQuery,
  answerDns,
  RCODE,
  MAX_DNS_QUERY_BYTES,
} from '../../app/broker/process/dns-message.ts';
import { createDnsServer } from '../../app/broker/process/dns-server.ts';
import { createDnsZone } from '../../app/broker/process/dns-zone.ts';
import { createManualClock, unwrap } from '../../app/kit/index.ts';
import { buildNetworkPolicy } from '../../app/policy/index.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { hostText, u16, vector } from './streams.ts';

const LABEL_ENDS = new Set([0]);

/** Reads a question the slow way: one byte after the other, nothing taken for granted. */
const slowQuestion = (
  bytes: Buffer,
): { labels: readonly Buffer[]; type: number; class: number; end: number } | undefined => {
  const left = [...bytes.subarray(12)];
  const labels: Buffer[] = [];
  let end = 12;
  const next = (): number | undefined => {
    end += 1;
    return left.shift();
  };
  for (;;) {
    const length = next();
    if (length === undefined || length > 63) return undefined;
    if (LABEL_ENDS.has(length)) break;
    const label = Array.from({ length }, next);
    if (label.includes(undefined)) return undefined;
    labels.push(Buffer.from(label as number[]));
  }
  const rest = [next(), next(), next(), next()];
  if (rest.includes(undefined)) return undefined;
  const [a = 0, b = 0, c = 0, d = 0] = rest;
  return { labels, type: a * 256 + b, class: c * 256 + d, end };
};

/** The text of a name, read back to its labels. */
const labelsOf = (name: string): readonly Buffer[] =>
  name === '.'
    ? []
    : name.split('.').map((label) =>
        Buffer.from(
          label.replaceAll(/\\([0-9]{3})/g, (_, code: string) => String.fromCharCode(Number(code))),
          'latin1',
        ),
      );

const query = (random: Random): Buffer => {
  const labels = hostText(random)
    .split('.')
    .filter((label) => label !== '' || random.oneIn(3))
    .map((label) => vector(random, 1, Buffer.from(label, 'latin1')));
  const many = random.oneIn(20) ? Array.from({ length: 140 }, () => Buffer.from('\x01a')) : labels;
  const name = random.oneIn(15)
    ? Buffer.from([0xc0, 12])
    : Buffer.concat([...many, Buffer.alloc(1)]);
  const options = random.bytes(random.below(20));
  const opt = Buffer.concat([
    Buffer.alloc(1),
    u16(41),
    u16(1232),
    Buffer.alloc(4),
    vector(random, 2, options),
  ]);
  const edns = random.oneIn(2);
  return Buffer.concat([
    u16(random.below(65_536)),
    u16(random.pick([0x0100, 0x0120, 0, 0x8180, 0x2800])),
    u16(random.oneIn(20) ? 2 : 1),
    u16(0),
    u16(0),
    u16(edns ? 1 : 0),
    name,
    u16(random.pick([1, 28, 16, 255, 65, 252, random.below(65_536)])),
    u16(random.pick([1, 1, 1, 3, 255])),
    edns ? opt : Buffer.alloc(0),
  ]);
};

const SEEDS = [
  Buffer.from('12340100000100000000000003617069076578616d706c6503636f6d0000010001', 'hex'),
  Buffer.from(
    '1234010000010000000000010361706907657861 6d706c6503636f6d000001000100002904d0000000000000'.replaceAll(
      ' ',
      '',
    ),
    'hex',
  ),
  Buffer.from('123401000001000000000000c00c00010001', 'hex'),
  Buffer.from('1234818000010001000000000161000001000100010001', 'hex'),
  Buffer.from('00', 'hex'),
];

const message = parserTarget({
  name: 'dns-message',
  seeds: SEEDS,
  generate: query,
  check: (bytes) => {
    const reading = readDnsQuery(bytes);
    if (reading.type === 'bad') return;
    const { query: read } = reading;
    must(bytes.length <= MAX_DNS_QUERY_BYTES, 'a query over the limit');
    const slow = slowQuestion(bytes);
    if (slow === undefined) throw new Error('a question that cannot be read twice');
    mustEqual(labelsOf(read.name), slow.labels, 'the name does not mean its labels');
    mustEqual(read.question, bytes.subarray(12, slow.end), 'the question is not what was asked');
    must(/^[\x21-\x7e]+$/.test(read.name), 'a name with characters that no record may have');
    mustEqual(read.internet, slow.class === 1, 'the class');
    const answer = answerDns(read, RCODE.noError, { address: '198.18.0.7', ttlSeconds: 10 });
    must(answer.length <= bytes.length + 27, 'an answer much longer than its question');
    mustEqual(answer.readUInt16BE(0), bytes.readUInt16BE(0), 'the answer has another id');
    must((answer[2] ?? 0) >= 0x80, 'the answer is a question');
    const echoed = slowQuestion(answer);
    mustEqual(echoed, slow, 'the answer has another question');
  },
});

const policy = unwrap(
  buildNetworkPolicy(
    {
      default: 'deny',
      presets: [],
      allow: ['api.example.com', '*.example.org', 'localhost:8080'],
      deny: ['bad.example.org'],
      resolve: [],
      passThrough: [],
      git: [],
    },
    'shell',
  ),
);

const server = parserTarget({
  name: 'dns-server',
  seeds: SEEDS,
  generate: query,
  check: async (bytes) => {
    const clock = createManualClock();
    const records: string[] = [];
    const zone = createDnsZone(clock, 5, 4);
    const dns = createDnsServer({
      clock,
      policy,
      zone,
      record: (draft) => records.push(JSON.stringify(draft)),
      nameTrip: () => undefined,
      onTrip: () => undefined,
    });
    const answers = [dns.answer(bytes), dns.answer(bytes)];
    // The first record waits for its program.
    await Promise.resolve();
    dns.flush();
    // A record is for people to read: nothing of a name may steer a terminal.
    must(!/[^\x20-\x7e\u2019]/.test(records.join('')), 'a record with control characters');
    must(zone.size() <= 1, 'one question took several places of the zone');
    must(records.length <= 2, 'one question makes a flood of records');
    mustEqual(answers[0], answers[1], 'the same question has two answers');
    const [answer] = answers;
    if (answer === undefined) return;
    must(answer.length >= 12 && (answer[2] ?? 0) >= 0x80, 'an answer that is none');
    must(answer.length <= bytes.length + 39, 'an answer much longer than its question');
    const reading = readDnsQuery(bytes);
    if (reading.type === 'bad') must(answer.readUInt16BE(6) === 0, 'nonsense has an address');
  },
});

export const NAME_TARGETS: readonly Target[] = [message, server];
