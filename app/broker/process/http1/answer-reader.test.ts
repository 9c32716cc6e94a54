import { describe, expect, it } from 'vitest';
import { MAX_HEADER_BYTES } from '../request-head.ts';
import { createAnswerReader } from './answer-reader.ts';

const FIRST = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirst';
const HINTS = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';

const letters = (text: string): readonly string[] => text.split('');

/** What one request is told of the pieces, joined where only the cuts differ. */
const read = (pieces: readonly string[], method = 'GET', ends = false) => {
  const told: string[] = [];
  let rest = '';
  const reader = createAnswerReader({
    onInterim: ({ status }) => told.push(`interim ${String(status)}`),
    onHead: ({ status, headers }) => told.push(`head ${String(status)} ${headers.flat().join()}`),
    onBody: (part) => {
      expect(part.length).toBeGreaterThan(0);
      const text = part.toString('latin1');
      if (told.at(-1)?.startsWith('body ') === true) told.push(`${told.pop() ?? ''}${text}`);
      else told.push(`body ${text}`);
    },
    onEnd: (trailers) => told.push(`end ${trailers.flat().join()}`),
    onMalformed: (why) => told.push(`malformed ${why}`),
  });
  reader.expect(method);
  for (const piece of pieces) {
    const bytes = Buffer.from(piece, 'latin1');
    const at = reader.push(bytes);
    expect(at).toBeLessThanOrEqual(bytes.length);
    rest += bytes.toString('latin1', at);
  }
  return { told, rest, ended: ends ? reader.end() : undefined };
};

const CHUNKED =
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n';

describe('the answers of a connection', () => {
  it.each<[string, string, string, readonly string[]]>([
    ['with a length', 'GET', FIRST, ['head 200 Content-Length,5', 'body first', 'end ']],
    [
      'with interim answers before',
      'GET',
      `HTTP/1.1 100 Continue\r\n\r\n${HINTS}${FIRST}`,
      ['interim 100', 'interim 103', 'head 200 Content-Length,5', 'body first', 'end '],
    ],
    [
      'in chunks, with trailers',
      'GET',
      CHUNKED,
      ['head 200 Transfer-Encoding,chunked', 'body abcde', 'end X,y'],
    ],
    [
      'to HEAD',
      'HEAD',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n',
      ['head 200 Content-Length,5', 'end '],
    ],
    [
      'without content',
      'GET',
      'HTTP/1.1 204 None\r\nContent-Length: 5\r\n\r\n',
      ['head 204 Content-Length,5', 'end '],
    ],
    [
      'of nothing',
      'GET',
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n',
      ['head 200 Content-Length,0', 'end '],
    ],
    [
      'that changes protocols',
      'GET',
      `${HINTS}HTTP/1.1 101 Yes\r\nUpgrade: x\r\n\r\n`,
      ['interim 103', 'head 101 Upgrade,x'],
    ],
  ])('are read to their end and no further, %s', (_what, method, text, told) => {
    const rest = 'HTTP/1.1 200 OK\r\n\r\n';
    const expected = { told, rest };
    const whole = `${text}${rest}`;
    expect(read([whole], method)).toEqual(expect.objectContaining(expected));
    expect(read(letters(whole), method)).toEqual(expect.objectContaining(expected));
    for (let cut = 1; cut < whole.length; cut += 1) {
      expect(read([whole.slice(0, cut), whole.slice(cut)], method)).toEqual(
        expect.objectContaining(expected),
      );
      // A head that begins in one piece and goes on in a third.
      expect(
        read([whole.slice(0, cut), whole.slice(cut, cut + 1), whole.slice(cut + 1)], method),
      ).toEqual(expect.objectContaining(expected));
    }
  });

  it('end with the connection where nothing else says so, and only then', () => {
    const text = 'HTTP/1.1 200 OK\r\n\r\nall of it';
    const told = ['head 200 ', 'body all of it', 'end '];
    expect(read([text], 'GET', true)).toEqual({ told, rest: '', ended: true });
    expect(read(letters(text), 'GET', true)).toEqual({ told, rest: '', ended: true });
    for (const [whole, method] of [
      [FIRST, 'GET'],
      [CHUNKED, 'GET'],
      [`${HINTS}${FIRST}`, 'GET'],
    ] as const)
      for (let bytes = 0; bytes < whole.length; bytes += 1)
        expect(read([whole.slice(0, bytes)], method, true).ended).toBe(false);
  });

  it('are read no further once one is malformed', () => {
    const malformed = 'malformed both Content-Length and Transfer-Encoding';
    const text = `HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n${FIRST}`;
    expect(read([text]).told).toEqual([malformed]);
    expect(read(letters(text)).told).toEqual([malformed]);
    const chunks = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\naX\r\n';
    const told = [
      'head 200 Transfer-Encoding,chunked',
      'body a',
      'malformed a chunk that is longer than it said',
    ];
    expect(read([`${chunks}${FIRST}`]).told).toEqual(told);
    expect(read(letters(chunks + FIRST)).told).toEqual(told);
  });

  it.each(['HTTP/1.1 103 Odd\r\nConnection: close', 'HTTP/1.0 100 Continue'])(
    'do not go on behind an interim answer that ends the connection: %j',
    (head) => {
      expect(read([`${head}\r\n\r\n${FIRST}`]).told).toEqual([
        'malformed an interim answer that ends the connection',
      ]);
    },
  );

  it('have heads of a bounded size, in one piece and in many', () => {
    const headOf = (bytes: number): string => {
      const start = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: ';
      return `${start}${'y'.repeat(bytes - start.length)}\r\n\r\nfirst`;
    };
    const pieces = (text: string): readonly string[] => text.match(/.{1,1000}/gs) ?? [];
    const largest = headOf(MAX_HEADER_BYTES);
    expect(read([largest]).told.at(-1)).toBe('end ');
    expect(read(pieces(largest)).told.at(-1)).toBe('end ');
    const told = ['malformed a header section that is too large'];
    const larger = headOf(MAX_HEADER_BYTES + 1);
    expect(read([larger]).told).toEqual(told);
    expect(read(pieces(larger)).told).toEqual(told);
    expect(read(['x'.repeat(MAX_HEADER_BYTES + 10)]).told).toEqual(told);
    expect(read([larger.slice(0, 100), larger.slice(100)]).told).toEqual(told);
  });

  it('are told nothing of bytes that come while none is expected', () => {
    const told: string[] = [];
    const reader = createAnswerReader({
      onInterim: () => told.push('interim'),
      onHead: () => told.push('head'),
      onBody: () => told.push('body'),
      onEnd: () => told.push('end'),
      onMalformed: () => told.push('malformed'),
    });
    expect(reader.push(Buffer.from(FIRST))).toBe(0);
    expect(reader.end()).toBe(false);
    expect(told).toEqual([]);
  });

  it('take nothing over from one to the next', () => {
    const told: string[] = [];
    const reader = createAnswerReader({
      onInterim: () => undefined,
      onHead: ({ status }) => told.push(String(status)),
      onBody: () => undefined,
      onEnd: () => told.push('end'),
      onMalformed: (why) => told.push(why),
    });
    reader.expect('HEAD');
    for (const letter of 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n')
      reader.push(Buffer.from(letter));
    reader.expect('GET');
    for (const letter of FIRST) reader.push(Buffer.from(letter));
    expect(told).toEqual(['200', 'end', '200', 'end']);
  });
});
