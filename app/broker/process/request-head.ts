import type { IncomingMessage } from 'node:http';
import { MAX_URL_PATH_CHARS } from '../../contract/bounds.ts';
import { failure, ok, type Result } from '../../kit/index.ts';
import { canonicalPath, isAddress, parseHost } from '../../policy/enforce.ts';
import type { Destination, HeaderPairs } from './inject.ts';
import { fieldName, fieldOf, lowerName } from './field-name.ts';
import type { Refusal } from './refuse.ts';
import { methodsOf } from './sites/methods.ts';

/** Largest header section of a request or an answer, in bytes. */
export const MAX_HEADER_BYTES = 65_536;
/** Most header fields of one request. */
export const MAX_HEADER_FIELDS = 256;
/** Longest request target, in characters. */
export const MAX_TARGET_CHARS = MAX_URL_PATH_CHARS;

/** Methods that are never passed on: one echoes headers back, the other opens a tunnel inside the tunnel. */
const REFUSED_METHODS = new Set(['TRACE', 'TRACK', 'CONNECT']);
const METHOD = /^[A-Z][A-Z-]{0,31}$/;
export const LENGTH = /^[0-9]{1,15}$/;
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const FIELD_CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f]/;
/** Fields that may come once only: two of them are read differently by different servers. */
const ONCE = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'content-type',
  'authorization',
  'expect',
  'upgrade',
  'proxy-authorization',
  'te',
  'content-encoding',
]);
/** Names that servers which write `_` for `-` would read as the framing of the body. */
const FRAMING_LOOKALIKE = /^(?:content_length|transfer_encoding)$/;

export type RequestHead = {
  readonly method: string;
  /** Path and query, as they go upstream. */
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly framing:
    | { readonly type: 'none' }
    | { readonly type: 'length'; readonly bytes: number }
    | { readonly type: 'chunked' };
  readonly expectsContinue: boolean;
  /** The protocol that it asks to change to, lower case. */
  readonly upgrade: string | undefined;
};

const refuse = (code: Refusal['code'], message: string, hint?: string): Result<never, Refusal> => ({
  ok: false,
  error: failure(code, message, hint),
});

/** Raw name and value pairs, order and spelling kept. */
export const pairsOf = (raw: readonly string[]): HeaderPairs => {
  const pairs: (readonly [string, string])[] = [];
  for (let index = 0; index + 1 < raw.length; index += 2) {
    pairs.push([raw[index] ?? '', raw[index + 1] ?? '']);
  }
  return pairs;
};

/** Whether an authority (`HOST[:PORT]`) means exactly this destination. */
export const sameAuthority = (text: string, to: Destination): boolean => {
  // A canonical name on the usual port reads as itself.
  if (text === to.host && to.port === (to.tls ? 443 : 80) && !isAddress(to.host)) return true;
  const match = /^(\[[^\]]*\]|[^:[\]@/?#\\]*)(?::([0-9]{1,5}))?$/.exec(text);
  const [, hostText, portText] = match ?? [];
  if (hostText === undefined || hostText === '') return false;
  const host = parseHost(hostText);
  const port = portText === undefined ? (to.tls ? 443 : 80) : Number(portText);
  return host.ok && host.value === to.host && port === to.port;
};

/**
 * An authority as it goes upstream: as written, in whatever case, or the destination's own name where
 * another spelling only folds to it (a trailing dot, wide letters), for a server may read that otherwise.
 */
export const writtenAuthority = (text: string, to: Destination): string => {
  const host = to.host.includes(':') ? `[${to.host}]` : to.host;
  const [, port] = /:([0-9]+)$/.exec(text) ?? [];
  const own = port === undefined ? host : `${host}:${port}`;
  return text.toLowerCase() === own ? text : own;
};

/** The origin-form target: as sent, or taken out of an absolute-form one that names this destination. */
const originForm = (method: string, url: string, to: Destination): Result<string, Refusal> => {
  if (url.startsWith('/')) return ok(url);
  if (url === '*') {
    return method === 'OPTIONS'
      ? ok('*')
      : refuse('egress.bad-request', 'The target * goes with OPTIONS alone.');
  }
  const match = /^(https?):\/\/([^/?#]*)(\/[^#]*)?(\?[^#]*)?$/i.exec(url);
  const [, scheme, authority, path = '', query = ''] = match ?? [];
  if (scheme === undefined || authority === undefined) {
    return refuse('egress.bad-request', 'The request target is neither a path nor a URL.');
  }
  if ((scheme.toLowerCase() === 'https') !== to.tls || !sameAuthority(authority, to)) {
    return refuse(
      'egress.authority-mismatch',
      'The request target names another destination than the connection.',
    );
  }
  return ok(`${path === '' ? '/' : path}${query}`);
};

const framingOf = (headers: HeaderPairs): Result<RequestHead['framing'], Refusal> => {
  const length = fieldOf(headers, 'content-length');
  const coding = fieldOf(headers, 'transfer-encoding');
  if (length !== undefined && coding !== undefined) {
    return refuse(
      'egress.bad-request',
      'The request has both Content-Length and Transfer-Encoding.',
    );
  }
  if (coding !== undefined) {
    return coding.toLowerCase() === 'chunked'
      ? ok({ type: 'chunked' })
      : refuse('egress.bad-request', 'The transfer encoding is not plain chunked.');
  }
  if (length === undefined) return ok({ type: 'none' });
  return LENGTH.test(length)
    ? ok({ type: 'length', bytes: Number(length) })
    : refuse('egress.bad-request', 'The Content-Length is not a number.');
};

/** Checks what every field must be, whatever HTTP version carried it. */
export const checkFields = (headers: HeaderPairs, target: string): Refusal | undefined => {
  if (headers.length > MAX_HEADER_FIELDS)
    return failure('egress.too-large', 'The request has too many header fields.');
  if (target.length > MAX_TARGET_CHARS)
    return failure('egress.too-large', 'The request target is too long.');
  const seen = new Set<string>();
  for (const [rawName, value] of headers) {
    const name = fieldName(rawName);
    if (name === undefined)
      return failure('egress.bad-request', 'A header field name has characters that none has.');
    if (name.includes('_') && FRAMING_LOOKALIKE.test(name))
      return failure(
        'egress.bad-request',
        `The header ${name} looks like one that frames the body.`,
      );
    if (FIELD_CONTROL.test(value))
      return failure('egress.bad-request', `The header ${name} has control characters in it.`);
    if (!ONCE.has(name)) continue;
    if (seen.has(name)) return failure('egress.bad-request', `The header ${name} occurs twice.`);
    seen.add(name);
  }
  return undefined;
};

/** Checks the method, and those that the request names beside its own. */
export const checkMethod = (
  method: string,
  target: string,
  headers: HeaderPairs,
): Refusal | undefined => {
  if (REFUSED_METHODS.has(method) || !METHOD.test(method)) {
    return failure('egress.method-refused', 'That method is never passed on.');
  }
  return methodsOf(method, target, headers).some((named) => REFUSED_METHODS.has(named))
    ? failure('egress.method-refused', 'The request names a method that is never passed on.')
    : undefined;
};

/** Checks what is the same for every version once host and framing are known. */
export const checkRest = ({
  method,
  target,
  headers,
  framing,
}: Pick<RequestHead, 'method' | 'target' | 'headers' | 'framing'>): Refusal | undefined => {
  if (method === 'HEAD' && framing.type !== 'none') {
    return failure('egress.bad-request', 'A HEAD request has no body.');
  }
  const expect = fieldOf(headers, 'expect');
  if (expect !== undefined && expect.toLowerCase() !== '100-continue') {
    const why = 'The Expect header asks for something unknown.';
    return { ...failure('egress.bad-request', why), status: 417 };
  }
  if (target === '*') return undefined;
  const path = canonicalPath(target);
  return path.ok ? undefined : failure('egress.bad-path', path.error.message, path.error.hint);
};

/**
 * Judges a request's head beyond what Node's strict parser refuses: one meaning for host, path and
 * framing, or none. Host first, so that a mismatch is told as one.
 */
export const readRequestHead = (
  request: IncomingMessage,
  to: Destination,
  upgrades: ReadonlySet<string>,
): Result<RequestHead, Refusal> => {
  const headers = pairsOf(request.rawHeaders);
  const method = request.method ?? '';
  const url = request.url ?? '';
  if (request.httpVersion !== '1.1' && request.httpVersion !== '1.0') {
    return refuse('egress.bad-request', 'The HTTP version is not 1.0 or 1.1.');
  }
  const badField = checkFields(headers, url);
  if (badField !== undefined) return { ok: false, error: badField };
  const host = fieldOf(headers, 'host');
  if (host === undefined) return refuse('egress.bad-request', 'The request has no Host header.');
  if (!sameAuthority(host, to)) {
    return refuse(
      'egress.authority-mismatch',
      `The Host header does not name ${to.host}:${String(to.port)}, where the connection goes.`,
    );
  }
  if (REFUSED_METHODS.has(method) || !METHOD.test(method)) {
    return refuse('egress.method-refused', 'That method is never passed on.');
  }
  const target = originForm(method, url, to);
  if (!target.ok) return target;
  const badMethod = checkMethod(method, target.value, headers);
  if (badMethod !== undefined) return { ok: false, error: badMethod };
  const framing = framingOf(headers);
  if (!framing.ok) return framing;
  if (request.httpVersion === '1.0' && framing.value.type === 'chunked') {
    return refuse('egress.bad-request', 'HTTP/1.0 knows no chunked encoding.');
  }
  const written = writtenAuthority(host, to);
  const named =
    written === host
      ? headers
      : headers.map(([name, value]) =>
          lowerName(name) === 'host' ? ([name, written] as const) : ([name, value] as const),
        );
  const read = { method, target: target.value, headers: named, framing: framing.value };
  const bad = checkRest(read);
  if (bad !== undefined) return { ok: false, error: bad };
  const asked = fieldOf(headers, 'upgrade')?.toLowerCase();
  // h2c is an offer that a server may ignore; every other upgrade is a demand.
  const upgrade = asked === 'h2c' ? undefined : asked;
  if (upgrade !== undefined && !upgrades.has(upgrade)) {
    return refuse('egress.upgrade-refused', 'That protocol upgrade is not passed on.');
  }
  if (upgrade !== undefined && (framing.value.type !== 'none' || request.httpVersion !== '1.1')) {
    return refuse('egress.bad-request', 'A request for an upgrade has no body.');
  }
  const expects = fieldOf(headers, 'expect') !== undefined;
  if (expects && request.httpVersion === '1.0') {
    // To be ignored there (RFC 9110 10.1.1): nobody waits for leave.
    const others = named.filter(([name]) => lowerName(name) !== 'expect');
    return ok({ ...read, headers: others, expectsContinue: false, upgrade });
  }
  return ok({ ...read, expectsContinue: expects, upgrade });
};
