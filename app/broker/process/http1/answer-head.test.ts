import { describe, expect, it } from 'vitest';
import {
  HINT_MARGIN_MS,
  namesUpgrade,
  readAnswerHead,
  type Http1AnswerHead,
} from './answer-head.ts';
import { MAX_ANSWER_FIELDS } from './fields.ts';
import { isMalformed } from './malformed.ts';

const head = (fields: readonly string[], status = 'HTTP/1.1 200 OK'): string =>
  [status, ...fields].join('\r\n');
const read = (text: string, method = 'GET'): Http1AnswerHead => {
  const result = readAnswerHead(text, method);
  if (isMalformed(result)) throw new Error(result.malformed);
  return result;
};

describe('the head of an answer', () => {
  it('is read with order, spelling and repetition of its fields', () => {
    expect(read(head(['X-B: 1', 'x-a:2', 'X-b:\t 3 \t', 'E:', 'U: caf\u00e9']))).toEqual({
      status: 200,
      reason: 'OK',
      headers: [
        ['X-B', '1'],
        ['x-a', '2'],
        ['X-b', '3'],
        ['E', ''],
        ['U', 'caf\u00e9'],
      ],
      framing: { type: 'close' },
      keep: false,
      keepForMs: undefined,
    });
  });

  it('is read in passing, however many blanks stand in it', () => {
    const value = `a${' '.repeat(400_000)}b`;
    expect(read(head([`X: ${value} `])).headers).toEqual([['X', value]]);
  });

  it.each([
    ['HTTP/1.1 200', 200, ''],
    ['HTTP/1.1 200 ', 200, ''],
    ['HTTP/1.1 404 Not  Found', 404, 'Not  Found'],
    ['HTTP/1.0 999 \u00e9', 999, '\u00e9'],
  ])('begins with a status line: %j', (line, status, reason) => {
    expect(read(line)).toMatchObject({ status, reason });
  });

  it.each([
    '',
    'HTTP/1.1',
    'HTTP/1.1 ',
    'HTTP/1.1 20',
    'HTTP/1.1 2000',
    'HTTP/1.1 099 Odd',
    'HTTP/1.1 000',
    'HTTP/1.1 +20',
    'HTTP/1.1 2x0',
    'HTTP/1.1  200 OK',
    'HTTP/1.1\t200 OK',
    'HTTP/1.1 200\tOK',
    'HTTP/1.1 200OK',
    ' HTTP/1.1 200 OK',
    'http/1.1 200 OK',
    'HTTP/2.0 200 OK',
    'HTTP/0.9 200 OK',
    'HTTP/1.2 200 OK',
    'HTTP/1.10 200 OK',
    'HTTP/01.1 200 OK',
    'ICY 200 OK',
    'HTTP/1.1 200 O\rK',
    'HTTP/1.1 200 O\nK',
    '\r\nHTTP/1.1 200 OK',
    'GET / HTTP/1.1',
  ])('is none where the status line is %j', (line) => {
    expect(readAnswerHead(line, 'GET')).toEqual({ malformed: 'no status line of HTTP/1' });
  });

  it.each([
    ['a field without a colon', 'words', 'a header field without a name'],
    ['a field without a name', ': y', 'a header field without a name'],
    ['a blank before the colon', 'X : y', 'a header field without a name'],
    ['a tab before the colon', 'X\t: y', 'a header field without a name'],
    ['a name that is no token', 'X(y): z', 'a header field without a name'],
    ['a name beyond ASCII', 'caf\u00e9: z', 'a header field without a name'],
    ['an empty line', '', 'a header field without a name'],
    ['a folded line', ' folded', 'a header field without a name'],
    ['a folded line with a colon', '\tX: y', 'a header field without a name'],
    ['a NUL', 'X: a\0b', 'a header field with control characters'],
    ['a bare CR', 'X: a\rb', 'a header field with control characters'],
    ['a CR at its end', 'X: a\r', 'a header field with control characters'],
    ['a bare LF', 'X: a\nContent-Length: 2', 'a header field with control characters'],
    ['an escape', 'X: a\u001bb', 'a header field with control characters'],
    ['a DEL', 'X: a\u007fb', 'a header field with control characters'],
  ])('is none with %s', (_what, line, malformed) => {
    expect(readAnswerHead(head(['A: b', line]), 'GET')).toEqual({ malformed });
  });

  it('is none with too many fields', () => {
    const many = (count: number): string => head(Array.from({ length: count }, () => 'X: y'));
    expect(read(many(MAX_ANSWER_FIELDS)).headers).toHaveLength(MAX_ANSWER_FIELDS);
    expect(readAnswerHead(many(MAX_ANSWER_FIELDS + 1), 'GET')).toEqual({
      malformed: 'too many header fields',
    });
  });

  it.each<[string, readonly string[]]>([
    ['two lengths', ['Content-Length: 2', 'Content-Length: 4']],
    ['the same length twice', ['Content-Length: 2', 'content-length: 2']],
    ['two codings', ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked']],
    ['a length and a coding', ['Content-Length: 2', 'Transfer-Encoding: chunked']],
    ['a coding and a length', ['Transfer-Encoding: chunked', 'Content-Length: 2']],
    ['an empty length', ['Content-Length:']],
    ['a signed length', ['Content-Length: +2']],
    ['a negative length', ['Content-Length: -2']],
    ['a length in hexadecimal', ['Content-Length: 0x2']],
    ['a list of lengths', ['Content-Length: 2, 2']],
    ['a length with a blank inside', ['Content-Length: 1 2']],
    ['a length past what counts exactly', ['Content-Length: 1234567890123456']],
    ['an empty coding', ['Transfer-Encoding:']],
    ['a list of codings', ['Transfer-Encoding: gzip, chunked']],
    ['chunked twice', ['Transfer-Encoding: chunked, chunked']],
    ['identity', ['Transfer-Encoding: identity']],
    ['a coding with a parameter', ['Transfer-Encoding: chunked;a=b']],
    ['a quoted coding', ['Transfer-Encoding: "chunked"']],
    ['another coding', ['Transfer-Encoding: xchunked']],
  ])('is none with %s, whatever the method and the status', (_what, fields) => {
    for (const method of ['GET', 'HEAD'])
      for (const status of ['200 OK', '103 Early', '204 None', '304 Same'])
        expect(readAnswerHead(head(fields, `HTTP/1.1 ${status}`), method)).toHaveProperty(
          'malformed',
        );
  });

  it.each<[string, string, readonly string[], string]>([
    ['GET', '200', ['Content-Length: 007'], 'length 7'],
    ['GET', '200', ['Content-Length: 0'], 'length 0'],
    ['GET', '205', ['Content-Length: 2'], 'length 2'],
    ['GET', '200', ['Transfer-Encoding: Chunked'], 'chunked'],
    ['GET', '200', [], 'close'],
    ['HEAD', '200', ['Content-Length: 7'], 'none'],
    ['HEAD', '200', ['Transfer-Encoding: chunked'], 'none'],
    ['HEAD', '200', [], 'none'],
    ['head', '200', ['Content-Length: 7'], 'length 7'],
    ['GET', '204', ['Content-Length: 7'], 'none'],
    ['GET', '304', ['Content-Length: 7'], 'none'],
    ['GET', '304', ['Transfer-Encoding: chunked'], 'none'],
    ['GET', '103', ['Content-Length: 7'], 'none'],
    ['GET', '101', [], 'none'],
  ])('of %s with %s and %j frames a body: %s', (method, status, fields, expected) => {
    const { framing } = read(head(fields, `HTTP/1.1 ${status} X`), method);
    expect(framing.type === 'length' ? `length ${String(framing.bytes)}` : framing.type).toBe(
      expected,
    );
  });

  it.each<[boolean, string, readonly string[]]>([
    [true, '1.1', []],
    [true, '1.1', ['Connection: keep-alive']],
    [false, '1.1', ['Connection: close']],
    [false, '1.1', ['Connection: x , CLOSE']],
    [false, '1.1', ['Connection: x', 'Connection: Close']],
    [true, '1.1', ['Connection: closed']],
    [false, '1.0', []],
    [true, '1.0', ['Connection: Keep-Alive']],
    [false, '1.0', ['Connection: keep-alive, close']],
  ])('keeps the connection (%s) in HTTP/%s with %j', (keep, version, fields) => {
    const text = head([...fields, 'Content-Length: 2'], `HTTP/${version} 200 OK`);
    expect(read(text).keep).toBe(keep);
  });

  it('keeps no connection whose end is the body’s, nor one with chunks in HTTP/1.0', () => {
    expect(read(head(['Connection: keep-alive'])).keep).toBe(false);
    const fields = ['Connection: keep-alive', 'Transfer-Encoding: chunked'];
    expect(read(head(fields)).keep).toBe(true);
    expect(read(head(fields, 'HTTP/1.0 200 OK'))).toMatchObject({
      keep: false,
      framing: { type: 'chunked' },
    });
  });

  it.each([
    ['timeout=5', 5000 - HINT_MARGIN_MS],
    ['timeout=5, max=100', 5000 - HINT_MARGIN_MS],
    ['max=100; Timeout=15', 15_000 - HINT_MARGIN_MS],
    ['timeout=0', 0],
    ['timeout=1', 0],
    ['timeout=-1', undefined],
    ['mytimeout=5', undefined],
    ['timeout=12345678', undefined],
    ['words', undefined],
  ])('reads how long it may be kept: %s', (hint, expected) => {
    expect(read(head([`Keep-Alive: ${hint}`, 'Content-Length: 0'])).keepForMs).toBe(expected);
  });

  it('names what a connection changes to only with both fields', () => {
    const names = (fields: readonly string[]): boolean =>
      namesUpgrade(read(head(fields, 'HTTP/1.1 101 Yes')));
    expect(names(['Connection: keep-alive, Upgrade', 'Upgrade: x'])).toBe(true);
    expect(names(['Connection: Upgrade'])).toBe(false);
    expect(names(['Upgrade: x'])).toBe(false);
    expect(names([])).toBe(false);
  });
});
