import { failure, ok, type Result } from '../../kit/index.ts';
import { fieldOf } from './field-name.ts';
import type { Refusal } from './refuse.ts';
import type { Destination } from './request.ts';
import {
  checkFields,
  checkMethod,
  checkRest,
  LENGTH,
  pairsOf,
  sameAuthority,
  writtenAuthority,
  type RequestHead,
} from './request-head.ts';

/** Fields that belong to an HTTP/1 connection and make a request malformed here (RFC 9113 8.2.2). */
const CONNECTION_FIELDS = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
]);
const PSEUDO = new Set([':method', ':scheme', ':authority', ':path', ':protocol']);

const bad = (message: string): Result<never, Refusal> => ({
  ok: false,
  error: failure('egress.bad-request', message),
});

const mismatch = (message: string): Result<never, Refusal> => ({
  ok: false,
  error: failure('egress.authority-mismatch', message),
});

/** One request's header section as HTTP/2 carries it: pseudo-header fields first, then the others. */
export type Http2Head = {
  /** Names and values in turn, as they came. */
  readonly raw: readonly string[];
  /** No body follows. */
  readonly last: boolean;
};

/**
 * Judges the head of an HTTP/2 request beyond what nghttp2 refuses: scheme, authority and host
 * agree with where the connection goes, and nothing in it would be read otherwise by an HTTP/1
 * server further on (RFC 9113 8.2, 8.3, 10.3). The authority stands in `headers` as `host`.
 */
export const readHttp2Head = (
  { raw, last }: Http2Head,
  to: Destination,
  upgrades: ReadonlySet<string>,
): Result<RequestHead, Refusal> => {
  const pseudo = new Map<string, string>();
  const fields: (readonly [string, string])[] = [];
  for (const [name, value] of pairsOf(raw)) {
    if (!name.startsWith(':')) {
      fields.push([name, value]);
    } else if (!PSEUDO.has(name) || pseudo.has(name) || fields.length > 0) {
      return bad('A pseudo-header field is unknown, occurs twice or comes late.');
    } else {
      pseudo.set(name, value);
    }
  }
  const method = pseudo.get(':method') ?? '';
  const target = pseudo.get(':path') ?? '';
  const badField = checkFields(fields, target);
  if (badField !== undefined) return { ok: false, error: badField };
  const connectionField = fields.find(([name]) => CONNECTION_FIELDS.has(name));
  if (connectionField !== undefined) return bad(`HTTP/2 knows no ${connectionField[0]} header.`);
  const te = fieldOf(fields, 'te');
  if (te !== undefined && te.toLowerCase() !== 'trailers')
    return bad('TE asks for more than trailers.');

  const host = fieldOf(fields, 'host');
  const authority = pseudo.get(':authority') ?? host;
  if (authority === undefined) return bad('The request names no authority.');
  const where = `${to.host}:${String(to.port)}, where the connection goes`;
  if (!sameAuthority(authority, to)) return mismatch(`The :authority does not name ${where}.`);
  if (host !== undefined && !sameAuthority(host, to))
    return mismatch(`The Host header does not name ${where}.`);
  const scheme = pseudo.get(':scheme');
  const protocol = pseudo.get(':protocol')?.toLowerCase();
  if (scheme !== (to.tls ? 'https' : 'http') && (method !== 'CONNECT' || protocol !== undefined))
    return mismatch('The :scheme is not that of the connection.');

  const upgrade = method === 'CONNECT' ? protocol : undefined;
  if (protocol !== undefined && upgrade === undefined)
    return bad(':protocol goes with CONNECT alone.');
  if (upgrade !== undefined && !upgrades.has(upgrade)) {
    const message = 'That protocol upgrade is not passed on.';
    return { ok: false, error: failure('egress.upgrade-refused', message) };
  }
  const badMethod = checkMethod(upgrade === undefined ? method : 'GET', target, fields);
  if (badMethod !== undefined) return { ok: false, error: badMethod };
  if (!target.startsWith('/') && !(target === '*' && method === 'OPTIONS'))
    return bad('The :path is not a path.');

  const length = fieldOf(fields, 'content-length');
  if (length !== undefined && !LENGTH.test(length))
    return bad('The Content-Length is not a number.');
  if (last && length !== undefined && Number(length) > 0)
    return bad('The announced body is missing.');
  const framing: RequestHead['framing'] =
    last || upgrade !== undefined
      ? { type: 'none' }
      : length === undefined
        ? { type: 'chunked' }
        : { type: 'length', bytes: Number(length) };
  const read = {
    method,
    target,
    headers: [
      ['host', writtenAuthority(authority, to)] as const,
      ...fields.filter(([name]) => name !== 'host'),
    ],
    framing,
  };
  const wrong = checkRest(read);
  if (wrong !== undefined) return { ok: false, error: wrong };
  const expectsContinue = fieldOf(fields, 'expect') !== undefined;
  return ok({ ...read, expectsContinue, upgrade });
};
