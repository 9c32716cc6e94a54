import { describe, expect, it } from 'vitest';
import { MAX_HEADER_BYTES } from '../request-head.ts';
import { createChunkReader, MAX_CHUNK_LINE_BYTES } from './chunk-reader.ts';
import { MAX_ANSWER_FIELDS } from './fields.ts';

const letters = (text: string): readonly string[] => text.split('');

/** Reads pieces until the body ends; what is left over comes back too. */
const read = (pieces: readonly (string | Buffer)[]) => {
  const reader = createChunkReader();
  let body = '';
  let rest = '';
  for (const piece of pieces) {
    const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece;
    if (reader.trailers() !== undefined) {
      rest += bytes.toString('latin1');
      continue;
    }
    const after = reader.push(bytes, 0, (part) => {
      body += part.toString('latin1');
    });
    if (typeof after !== 'number') return { body, malformed: after.malformed };
    rest += bytes.toString('latin1', after);
  }
  return { body, trailers: reader.trailers(), rest };
};

const FORMS: readonly (readonly [string, string, readonly (readonly [string, string])[]])[] = [
  ['0\r\n\r\n', '', []],
  ['3\r\nabc\r\n0\r\n\r\n', 'abc', []],
  ['3\r\nabc\r\nA\r\n0123456789\r\n00\r\n\r\n', 'abc0123456789', []],
  ['000000000000000000003\r\n\r\n\r\r\n0\r\n\r\n', '\r\n\r', []],
  ['3;a\r\nabc\r\n0;b=c;d="e;\\"\r"\r\n\r\n'.replace('\r"', '"'), 'abc', []],
  [
    '1\r\nx\r\n0\r\nX-Sum: 1\r\nx-b:\t2 \r\n\r\n',
    'x',
    [
      ['X-Sum', '1'],
      ['x-b', '2'],
    ],
  ],
];

describe('chunked transfer coding', () => {
  it.each(FORMS)('is taken off, however it is cut: %j', (text, body, trailers) => {
    const whole = `${text}rest`;
    expect(read([whole])).toEqual({ body, trailers, rest: 'rest' });
    expect(read(letters(whole))).toEqual({ body, trailers, rest: 'rest' });
    for (let first = 0; first <= text.length; first += 1)
      for (let second = first; second <= text.length; second += 1)
        expect(
          read([whole.slice(0, first), whole.slice(first, second), whole.slice(second)]),
        ).toEqual({ body, trailers, rest: 'rest' });
  });

  it.each(FORMS)('has no end before its last byte: %j', (text) => {
    for (let bytes = 0; bytes < text.length; bytes += 1)
      expect(read([text.slice(0, bytes)]).trailers).toBeUndefined();
  });

  it.each<[string, string, string]>([
    ['without a size', '\r\n', 'a chunk without a size'],
    ['with a sign', '-3\r\nabc', 'a chunk without a size'],
    ['with a prefix', '0x3\r\nabc', 'a chunk without a size'],
    ['with an underscore', '1_0\r\nabc', 'a chunk without a size'],
    ['with a blank before the size', ' 3\r\nabc', 'a chunk without a size'],
    ['with a blank after the size', '3 \r\nabc', 'a chunk without a size'],
    ['with a tab after the size', '3\t\r\nabc', 'a chunk without a size'],
    ['with a size past what counts exactly', '10000000000000\r\nabc', 'a chunk without a size'],
    ['with a letter that is no digit', '3g\r\nabc', 'a chunk without a size'],
    ['with an empty extension', '3;\r\nabc', 'a chunk without a size'],
    ['with a blank in an extension', '3; a=b\r\nabc', 'a chunk without a size'],
    ['with an extension that is no token', '3;a=(\r\nabc', 'a chunk without a size'],
    ['with a quote that does not end', '3;a="b\r\nabc', 'a chunk without a size'],
    ['with a NUL in an extension', '3;a=\0\r\nabc', 'a chunk without a size'],
    ['with a CR in an extension', '3;a=b\rc\r\nabc', 'a chunk without a size'],
    ['with a size line that ends in LF', '3\nabc', 'a line that ends in a bare line feed'],
    ['that is longer than it said', '3\r\nabcd\r\n', 'a chunk that is longer than it said'],
    ['that ends in LF', '3\r\nabc\n', 'a line that ends in a bare line feed'],
    ['that does not end', '3\r\nabc0\r\n\r\n', 'a chunk that is longer than it said'],
    ['with a trailer without a name', '0\r\n: y\r\n\r\n', 'a header field without a name'],
    ['with a folded trailer', '0\r\nX: y\r\n z\r\n\r\n', 'a header field without a name'],
    ['with a NUL in a trailer', '0\r\nX: \0\r\n\r\n', 'a header field with control characters'],
    ['with a trailer that ends in LF', '0\r\nX: y\n\r\n', 'a line that ends in a bare line feed'],
    ['that ends in a bare LF', '0\r\n\n', 'a line that ends in a bare line feed'],
    ['with a length behind it', '0\r\nContent-Length: 3\r\n\r\n', 'a trailer that frames its body'],
    [
      'with a coding behind it',
      '0\r\ntransfer-encoding: chunked\r\n\r\n',
      'a trailer that frames its body',
    ],
    [
      'with too many trailers',
      `0\r\n${'X:y\r\n'.repeat(MAX_ANSWER_FIELDS + 1)}\r\n`,
      'too many header fields',
    ],
  ])('is none %s, however it is cut', (_what, text, malformed) => {
    expect(read([text])).toMatchObject({ malformed });
    expect(read(letters(text))).toMatchObject({ malformed });
  });

  it('holds no endless size line, whole or in pieces', () => {
    const malformed = 'a chunk size that is too long';
    const endless = `3;${'a'.repeat(MAX_CHUNK_LINE_BYTES)}`;
    expect(read([endless])).toMatchObject({ malformed });
    expect(read([`${endless}\r\nabc\r\n`])).toMatchObject({ malformed });
    expect(read(Array.from({ length: MAX_CHUNK_LINE_BYTES + 1 }, () => '0'))).toMatchObject({
      malformed,
    });
  });

  it('holds no endless trailers, whole or in pieces', () => {
    const malformed = 'trailers that are too large';
    const piece = `X: ${'y'.repeat(1000)}\r\n`;
    const pieces = Array.from({ length: Math.ceil(MAX_HEADER_BYTES / 1000) }, () => piece);
    expect(read(['0\r\n', ...pieces])).toMatchObject({ malformed });
    expect(read([`0\r\n${'y'.repeat(MAX_HEADER_BYTES + 1)}`])).toMatchObject({ malformed });
  });

  it('passes bytes on as they are, without a copy', () => {
    const bytes = Buffer.from('4\r\n\0\r\n\u00ff\r\n', 'latin1');
    const parts: Buffer[] = [];
    createChunkReader().push(bytes, 0, (part) => parts.push(part));
    expect(parts.map((part) => part.toString('latin1'))).toEqual(['\0\r\n\u00ff']);
    expect(parts[0]?.buffer).toBe(bytes.buffer);
  });
});
