import { namesUpgrade, type Http1AnswerHead } from '../../app/broker/process/http1/answer-head.ts';
import { createAnswerReader } from '../../app/broker/process/http1/answer-reader.ts';
import type { HeaderPairs } from '../../app/broker/process/request.ts';
import { cut } from '../mutate.ts';
import type { Random } from '../random.ts';
import { readWithNode, type ReadAnswer } from '../reference/node-answers.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';

/** Targets for what servers say: the reader of HTTP/1.1 answers. */

/** How an answer was read. */
type Reading = {
  readonly interim: readonly Http1AnswerHead[];
  readonly head: Http1AnswerHead | undefined;
  readonly body: string;
  readonly trailers: HeaderPairs | undefined;
  readonly malformed: string | undefined;
  /** Bytes that belong to it; undefined where it has not come whole. */
  readonly used: number | undefined;
  /** It came whole only by the connection's end. */
  readonly closed: boolean;
};

const read = (pieces: readonly Buffer[], method: string): Reading => {
  const interim: Http1AnswerHead[] = [];
  let head: Http1AnswerHead | undefined;
  let body = '';
  let trailers: HeaderPairs | undefined;
  let malformed: string | undefined;
  const reader = createAnswerReader({
    onInterim: (one) => {
      mustGoOn();
      must(head === undefined, 'an interim answer comes after the answer');
      interim.push(one);
    },
    onHead: (one) => {
      mustGoOn();
      must(head === undefined, 'an answer has two heads');
      head = one;
    },
    onBody: (part) => {
      mustGoOn();
      must(head !== undefined && part.length > 0, 'a body has no head, or a part no bytes');
      body += part.toString('latin1');
    },
    onEnd: (fields) => {
      mustGoOn();
      must(head !== undefined, 'an end has no head');
      trailers = fields;
    },
    onMalformed: (why) => {
      mustGoOn();
      malformed = why;
    },
  });
  const mustGoOn = (): void =>
    must(trailers === undefined && malformed === undefined, 'something is told after the end');
  const over = (): boolean => trailers !== undefined || head?.status === 101;
  reader.expect(method);
  let before = 0;
  let used: number | undefined;
  for (const piece of pieces) {
    const at = reader.push(piece);
    must(at >= 0 && at <= piece.length, 'it uses what it was not given');
    if (used === undefined && over()) used = before + at;
    else if (used !== undefined) must(at === 0, 'it reads past the end of the answer');
    else if (malformed === undefined) must(at === piece.length, 'it leaves bytes of the answer');
    before += piece.length;
  }
  const closed = malformed === undefined && !over() && reader.end();
  must(!closed || head?.framing.type === 'close', 'an end it is not ends the answer');
  if (closed) used = before;
  return { interim, head, body, trailers, malformed, used, closed };
};

/** What of a reading Node’s client tells too. */
const comparable = ({ interim, head, body, trailers = [] }: Reading): ReadAnswer => ({
  interim: interim.map(({ status, headers }) => ({ status, headers })),
  status: head?.status ?? 0,
  headers: head?.headers ?? [],
  body,
  trailers,
  early: '',
});

const check = async (bytes: Buffer, random: Random): Promise<void> => {
  const method = random.pick(['GET', 'GET', 'GET', 'POST', 'HEAD']);
  const whole = read([bytes], method);
  mustEqual(read(cut(bytes, random), method), whole, 'what it reads depends on the cuts');
  const letters = Array.from(bytes, (_byte, at) => bytes.subarray(at, at + 1));
  if (bytes.length < 1000) mustEqual(read(letters, method), whole, 'single bytes read otherwise');
  // Node’s parser does not see `chunked` where a tab stands behind it, which RFC 9110 5.5 takes off.
  if (/^transfer-encoding:[^\r]*\t/im.test(bytes.toString('latin1'))) return;
  const { used, head, closed } = whole;
  if (used === undefined || head === undefined) {
    if (whole.malformed !== undefined) return;
    // What has not come whole for us must not look whole to anybody.
    const node = await readWithNode(bytes, method);
    must(node.type === 'none', 'Node’s client reads an answer that is whole');
    return;
  }
  mustEqual(read([bytes.subarray(0, used)], method), whole, 'what it used is not enough');
  if (!closed && used > 0)
    must(
      read([bytes.subarray(0, used - 1)], method).used === undefined,
      'it uses more than it needs',
    );
  if (head.status === 101 && !namesUpgrade(head)) return;
  const node = await readWithNode(bytes.subarray(0, used), method);
  must(
    node.type === 'whole',
    `Node’s client reads no such answer (${node.type === 'none' ? node.why : ''})`,
  );
  mustEqual(node.answer, comparable(whole), 'Node’s client reads another answer');
};

const STATUS_LINES = [
  'HTTP/1.1 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200 ',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 205 Reset',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 404 Not Found',
  'HTTP/1.1 999 \x80\xff',
  'HTTP/1.1 099 Odd',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 200\tOK',
  'HTTP/1.1 200 O\0K',
  'HTTP/1.1 200 O\rK',
  'HTTP/1.1 2000 OK',
  'HTTP/2.0 200 OK',
  'HTTP/1.2 200 OK',
  'http/1.1 200 OK',
  'ICE/1.0 200 OK',
  'RTSP/1.0 200 OK',
  'HTTP/1.1 20 OK',
  '\r\nHTTP/1.1 200 OK',
] as const;

const FIELDS = [
  'X-A: b',
  'x-a:\t b \t',
  'X-A:',
  'X: \x80\xff',
  'X: a\x01b',
  'X: a\x7fb',
  'X: a\0b',
  'X: a\rb',
  'X: a\nContent-Length: 5',
  'X: a\r\n b',
  ' X: b',
  'X : b',
  'X\t: b',
  ': b',
  'words',
  'X(): b',
  'X\x80: b',
  'Content-Length: 5',
  'Content-Length: 005',
  'Content-Length: 0',
  'content-length:5',
  'Content-Length: 5 ',
  'Content-Length: +5',
  'Content-Length: -5',
  'Content-Length: 0x5',
  'Content-Length: 5,5',
  'Content-Length: ',
  'Content-Length: 99999999999999999999',
  'Content-Length : 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: CHUNKED',
  'Transfer-Encoding: chunked, chunked',
  'Transfer-Encoding: gzip, chunked',
  'Transfer-Encoding: identity',
  'Transfer-Encoding: ',
  'Transfer-Encoding: "chunked"',
  'Transfer-Encoding: chunked;q=1',
  'Transfer-Encoding:\x0bchunked',
  'Transfer-Encoding:\r\n chunked',
  'Connection: close',
  'Connection: keep-alive',
  'Connection: Upgrade',
  'Upgrade: x',
  'Keep-Alive: timeout=5',
  'Trailer: X',
  'Set-Cookie: a=b',
] as const;

const BODIES = [
  '',
  'hello',
  'hellohello',
  'hel',
  '5\r\nhello\r\n0\r\n\r\n',
  '0\r\n\r\n',
  '5;a=b\r\nhello\r\n0;c\r\n\r\n',
  '5;a="b;\\"c"\r\nhello\r\n0\r\n\r\n',
  '5;\r\nhello\r\n0\r\n\r\n',
  '5 ;a\r\nhello\r\n0\r\n\r\n',
  '5;a=\r\nhello\r\n0\r\n\r\n',
  '5;a b\r\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5\nhello\n0\n\n',
  '5\rhello\r\n0\r\n\r\n',
  'ffffffffffffffff5\r\nhello\r\n0\r\n\r\n',
  '5\r\nhelloXX0\r\n\r\n',
  '5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-b:\t2 \r\n\r\n',
  '0\r\nContent-Length: 9\r\n\r\n',
  '0\r\nTransfer-Encoding: chunked\r\n\r\n',
  '0\r\nX: a\0b\r\n\r\n',
  '0\r\nX: y\r\n z\r\n\r\n',
  '0\r\nX: y\n\r\n',
  '0\r\n\n',
  '-1\r\n',
  '00000005\r\nhello\r\n000\r\n\r\n',
  '1\r\nh\r\n4\r\nello\r\n0\r\n',
] as const;

const headOf = (random: Random, line: string, fields: readonly string[]): string => {
  const end = random.oneIn(20) ? random.pick(['\n', '\r', '\r\r\n']) : '\r\n';
  return `${line}${end}${fields.map((field) => `${field}${end}`).join('')}${end}`;
};

const answer = (random: Random): string => {
  const some = (most: number): string[] =>
    Array.from({ length: random.below(most) }, () => random.pick(FIELDS));
  const interim = Array.from({ length: random.pick([0, 0, 0, 1, 2]) }, () =>
    headOf(
      random,
      random.pick(['HTTP/1.1 100 Continue', 'HTTP/1.1 103 Early Hints', 'HTTP/1.1 199']),
      some(2),
    ),
  );
  const body = random.pick(BODIES);
  const fields = some(3);
  // Mostly a framing that fits, so that answers come through.
  if (!random.oneIn(5)) {
    if (/^0*[0-9a-f]+(?:;|\r\n)/.test(body)) fields.push('Transfer-Encoding: chunked');
    else if (!random.oneIn(3)) fields.push(`Content-Length: ${String(body.length)}`);
  }
  const line = random.oneIn(2) ? 'HTTP/1.1 200 OK' : random.pick(STATUS_LINES);
  const rest = random.oneIn(3) ? 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil' : '';
  return `${interim.join('')}${headOf(random, line, fields)}${body}${rest}`;
};

export const ANSWER_TARGETS: readonly Target[] = [
  parserTarget({
    name: 'http-answer',
    seeds: [
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX: y\r\n\r\n',
      'HTTP/1.1 200 OK\r\n\r\nto the end',
      'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: </a>\r\n\r\nHTTP/1.1 204 None\r\n\r\n',
      'HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\nearly',
      'HTTP/1.1 304 Same\r\nContent-Length: 5\r\n\r\nhello',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\nContent-Length: 5\n\nhello',
      'HTTP/1.1 103 Odd\r\nConnection: close\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n',
    ],
    generate: (random) => Buffer.from(answer(random), 'latin1'),
    check,
  }),
];
