import { lowerName } from '../field-name.ts';
import { LENGTH } from '../request-head.ts';
import type { HeaderPairs } from '../request.ts';
import { readFields } from './fields.ts';
import { isMalformed, malformed, type Malformed } from './malformed.ts';

/** How an answer's body is told from what follows (RFC 9112 6.3). */
export type AnswerFraming =
  | { readonly type: 'none' }
  | { readonly type: 'length'; readonly bytes: number }
  | { readonly type: 'chunked' }
  /** To the end of the connection. */
  | { readonly type: 'close' };

/** The head of an HTTP/1 answer, as it came. */
export type Http1AnswerHead = {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderPairs;
  readonly framing: AnswerFraming;
  /** Whether the connection may carry another request afterwards, and for how long it may lie idle, in milliseconds. */
  readonly keep: boolean;
  readonly keepForMs: number | undefined;
};

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: (.*))?$/;
const KEEP_ALIVE_HINT = /(?:^|[,;\s])timeout=([0-9]{1,6})(?:$|[,;\s])/i;
/** A server counts from when it sent, we from when we received. */
export const HINT_MARGIN_MS = 1000;

const NONE: AnswerFraming = { type: 'none' };
const CHUNKED: AnswerFraming = { type: 'chunked' };
const CLOSE: AnswerFraming = { type: 'close' };

/** What the fields say about framing and the connection, each read once. */
type Said = {
  length: string | undefined;
  coding: string | undefined;
  connection: string;
  hint: string | undefined;
  twice: boolean;
};

const readSaid = (headers: HeaderPairs): Said => {
  const said: Said = {
    length: undefined,
    coding: undefined,
    connection: '',
    hint: undefined,
    twice: false,
  };
  for (const [rawName, value] of headers) {
    switch (lowerName(rawName)) {
      case 'content-length':
        said.twice ||= said.length !== undefined;
        said.length = value;
        break;
      case 'transfer-encoding':
        said.twice ||= said.coding !== undefined;
        said.coding = value;
        break;
      case 'connection':
        said.connection += `,${value.toLowerCase()}`;
        break;
      case 'keep-alive':
        said.hint = value;
        break;
      default:
    }
  }
  return said;
};

const framingOf = (
  method: string,
  status: number,
  { length, coding, twice }: Said,
): AnswerFraming | Malformed => {
  if (twice) return malformed('two fields that frame its body');
  if (length !== undefined && coding !== undefined)
    return malformed('both Content-Length and Transfer-Encoding');
  if (coding !== undefined && coding.toLowerCase() !== 'chunked')
    return malformed('a transfer coding that nobody asked for');
  if (length !== undefined && !LENGTH.test(length))
    return malformed('a Content-Length that is no number');
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return NONE;
  if (coding !== undefined) return CHUNKED;
  return length === undefined ? CLOSE : { type: 'length', bytes: Number(length) };
};

const tokensOf = (connection: string): readonly string[] =>
  connection === '' ? [] : connection.split(',').map((token) => token.trim());

const millisecondsOf = (hint: string | undefined): number | undefined => {
  const [, seconds] = hint === undefined ? [] : (KEEP_ALIVE_HINT.exec(hint) ?? []);
  return seconds === undefined ? undefined : Math.max(0, Number(seconds) * 1000 - HINT_MARGIN_MS);
};

/**
 * Reads a head without the empty line that ends it, its bytes as Latin-1. Stricter than RFC 9112 asks of a
 * client: where two readers could differ about the framing, there is no answer.
 */
export const readAnswerHead = (text: string, method: string): Http1AnswerHead | Malformed => {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const [, minor, statusText, reason = ''] = STATUS_LINE.exec(statusLine) ?? [];
  if (statusText === undefined) return malformed('no status line of HTTP/1');
  const headers = readFields(lines);
  if (isMalformed(headers)) return headers;
  const status = Number(statusText);
  const said = readSaid(headers);
  const framing = framingOf(method, status, said);
  if (isMalformed(framing)) return framing;
  const tokens = tokensOf(said.connection);
  // A server that speaks HTTP/1.0 may not mean what it says of chunks (RFC 9112 6.1).
  const keep =
    !tokens.includes('close') &&
    (minor === '1' || (tokens.includes('keep-alive') && framing.type !== 'chunked'));
  return {
    status,
    reason,
    headers,
    framing,
    // The connection is its body's end.
    keep: keep && framing.type !== 'close',
    keepForMs: millisecondsOf(said.hint),
  };
};

/** Whether an answer with status 101 says what the connection changes to (RFC 9110 7.8). */
export const namesUpgrade = ({ headers }: Pick<Http1AnswerHead, 'headers'>): boolean =>
  tokensOf(readSaid(headers).connection).includes('upgrade') &&
  headers.some(([name]) => lowerName(name) === 'upgrade');
