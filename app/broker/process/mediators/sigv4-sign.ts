import { createHash, createHmac } from 'node:crypto';
import type { HeaderPairs } from '../inject.ts';
import { SIGV4, type SigningScope } from './sigv4-header.ts';

/** One request as its signature sees it. */
export type SignedRequest = {
  readonly method: string;
  /** Path and query as on the wire. */
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly signedHeaders: readonly string[];
  /** As the signature covers it: a hash in hex, or a word such as `UNSIGNED-PAYLOAD`. */
  readonly payloadHash: string;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly time: string;
  readonly scope: SigningScope;
};

export const sha256Hex = (data: string | Buffer): string =>
  createHash('sha256').update(data).digest('hex');

const hmac = (key: string | Buffer, data: string): Buffer =>
  createHmac('sha256', key).update(data, 'latin1').digest();

const UNRESERVED = /^[A-Za-z0-9\-._~]$/;

/** AWS's `UriEncode`: every byte that is not unreserved as `%XX`. The text holds one byte a character. */
const encode = (text: string): string =>
  Array.from(text, (char) =>
    UNRESERVED.test(char)
      ? char
      : `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  ).join('');

const decode = (text: string): string =>
  text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

/** Services that take a path as it is and sign it encoded once: object keys may look like anything. */
const OBJECT_SERVICES = new Set(['s3', 's3-outposts', 's3-object-lambda', 's3express']);

/** S3 signs the decoded path encoded once; all others sign the path of the wire, tidied and encoded again. */
const canonicalUri = (path: string, service: string): string => {
  if (OBJECT_SERVICES.has(service))
    return path
      .split('/')
      .map((part) => encode(decode(part)))
      .join('/');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  const tidy = `/${parts.join('/')}${path.endsWith('/') && parts.length > 0 ? '/' : ''}`;
  return tidy.split('/').map(encode).join('/');
};

const byCode = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);

/** Parameters encoded once, sorted by name and then value. A plus is a plus: AWS knows no form encoding here. */
const canonicalQuery = (query: string): string =>
  query
    .split('&')
    .filter((part) => part !== '')
    .map((part): readonly [string, string] => {
      const mark = part.indexOf('=');
      return mark < 0
        ? [encode(decode(part)), '']
        : [encode(decode(part.slice(0, mark))), encode(decode(part.slice(mark + 1)))];
    })
    .toSorted(([name, value], [otherName, otherValue]) =>
      name === otherName ? byCode(value, otherValue) : byCode(name, otherName),
    )
    .map(([name, value]) => `${name}=${value}`)
    .join('&');

const canonicalHeader = (headers: HeaderPairs, name: string): string => {
  const values = headers
    .filter(([other]) => other.toLowerCase() === name)
    .map(([, value]) => value.trim().replaceAll(/\s+/g, ' '));
  return `${name}:${values.join(',')}\n`;
};

/** The canonical request of Signature Version 4, over a request as it goes on the wire. */
export const canonicalRequest = (request: SignedRequest): string => {
  const { method, target, headers, signedHeaders, payloadHash, scope } = request;
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  return [
    method,
    canonicalUri(path, scope.service),
    canonicalQuery(query),
    signedHeaders.map((name) => canonicalHeader(headers, name)).join(''),
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
};

/** The signature of a request (AWS, "Create a signed AWS API request"), in hex. */
export const sigv4Signature = (request: SignedRequest, secretAccessKey: string): string => {
  const { date, region, service } = request.scope;
  const canonical = Buffer.from(canonicalRequest(request), 'latin1');
  const text = [
    SIGV4,
    request.time,
    `${date}/${region}/${service}/aws4_request`,
    sha256Hex(canonical),
  ].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce<string | Buffer>(
    hmac,
    `AWS4${secretAccessKey}`,
  );
  return hmac(key, text).toString('hex');
};
