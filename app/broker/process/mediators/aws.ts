import { timingSafeEqual } from 'node:crypto';
import { err, failure, ok, type Clock, type Result } from '../../../kit/index.ts';
import { parseAwsSecret } from '../../../policy/enforce.ts';
import type { AwsSecret, CredentialGrant } from '../../../policy/index.ts';
import type { CredentialBook } from '../credential-book.ts';
import { withoutHopByHop } from '../hop.ts';
import { injectRequest, type HeaderPairs, type HeldCredential } from '../inject.ts';
import type { JudgedRequest, Mediation, Mediator } from '../mediate.ts';
import type { Refusal } from '../refuse.ts';
import { outsideScope } from '../sites/scope.ts';
import { grantCovers } from '../trip.ts';
import { mintsCredential, tellsInBody } from './aws-minting.ts';
import { remember } from './remember.ts';
import { readSigv4Header, writeSigv4Header, type Sigv4Header } from './sigv4-header.ts';
import { sha256Hex, sigv4Signature, type SignedRequest } from './sigv4-sign.ts';

/** Largest body that is held because only it tells its own hash, in bytes. */
export const MAX_SIGNED_BODY_BYTES = 64 * 1024 * 1024;
/** How far a signature's time may be from now, in milliseconds: AWS's own limit. */
export const MAX_SIGNATURE_SKEW_MS = 15 * 60 * 1000;

type Pair = {
  readonly grant: CredentialGrant;
  /** What the sandbox holds. */
  readonly placeholder: AwsSecret;
  readonly real: AwsSecret;
};

const pairOf = ({ grant, secret }: HeldCredential): Pair | undefined => {
  if (grant.kind !== 'aws') return undefined;
  const real = parseAwsSecret(secret);
  const part = (name: string): string | undefined =>
    grant.parts.find((other) => other.name === name)?.placeholder;
  const secretAccessKey = part('secret-access-key');
  if (!real.ok || secretAccessKey === undefined) return undefined;
  const placeholder = {
    accessKeyId: grant.placeholder,
    secretAccessKey,
    sessionToken: part('session-token'),
  };
  return { grant, placeholder, real: real.value };
};

const valueOf = (headers: HeaderPairs, name: string): string | undefined =>
  headers.find(([other]) => other.toLowerCase() === name)?.[1];

const refuse = (code: Refusal['code'], message: string, hint?: string): Result<never, Refusal> =>
  err(failure(code, message, hint));

const USE_HEADER = 'Let the client sign in the Authorization header, with Signature Version 4.';

/** Ways of signing that name the placeholder's id but are not signed anew. */
const otherWay = (pair: Pair, { target, headers }: JudgedRequest): Refusal | undefined => {
  const id = pair.placeholder.accessKeyId;
  const authorization = valueOf(headers, 'authorization') ?? '';
  if (authorization.includes(id)) {
    if (authorization.startsWith('AWS4-ECDSA-P256-SHA256'))
      return failure(
        'aws.asymmetric',
        'The request is signed with Signature Version 4A.',
        USE_HEADER,
      );
    if (/^AWS /i.test(authorization))
      return failure(
        'aws.old-signature',
        'The request is signed with Signature Version 2.',
        USE_HEADER,
      );
  }
  const query = target.slice(target.indexOf('?') + 1);
  if (!target.includes('?') || !query.includes(id)) return undefined;
  return /(?:^|&)AWSAccessKeyId=/i.test(query)
    ? failure('aws.old-signature', 'The request is signed with Signature Version 2.', USE_HEADER)
    : failure('aws.presigned', 'The request is signed in its query.', USE_HEADER);
};

const TIME = /^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z$/;

const millisecondsOf = (time: string): number => {
  const [, year, month, day, hour, minute, second] = TIME.exec(time) ?? [];
  return Date.parse(
    `${String(year)}-${String(month)}-${String(day)}T${String(hour)}:${String(minute)}:${String(second)}Z`,
  );
};

const checkTime = (
  time: string | undefined,
  { scope }: Sigv4Header,
  clock: Clock,
): Result<string, Refusal> => {
  const at = time === undefined ? Number.NaN : millisecondsOf(time);
  if (time === undefined || Number.isNaN(at) || !time.startsWith(scope.date))
    return refuse('aws.malformed', 'The request has no X-Amz-Date that fits its signature.');
  if (Math.abs(clock.now() - at) > MAX_SIGNATURE_SKEW_MS)
    return refuse(
      'aws.skewed',
      `The request was signed at ${time}, more than 15 minutes from now.`,
    );
  return ok(time);
};

type Payload =
  /** The signature covers this, whatever the body: the service holds the body against it. */
  | { readonly type: 'declared'; readonly hash: string }
  /** Only the body tells. */
  | { readonly type: 'body' };

const UNSIGNED = new Set(['UNSIGNED-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER']);

const payloadOf = ({ headers, bodyBytes }: JudgedRequest): Result<Payload, Refusal> => {
  const declared = valueOf(headers, 'x-amz-content-sha256');
  if (declared === undefined) {
    return ok(bodyBytes === 0 ? { type: 'declared', hash: sha256Hex('') } : { type: 'body' });
  }
  if (UNSIGNED.has(declared) || /^[0-9a-f]{64}$/.test(declared))
    return ok({ type: 'declared', hash: declared });
  if (declared.startsWith('STREAMING-AWS4-ECDSA'))
    return refuse('aws.asymmetric', 'The body is signed with Signature Version 4A.', USE_HEADER);
  if (declared.startsWith('STREAMING-')) {
    return refuse(
      'aws.chunk-signed',
      'The body is signed chunk by chunk.',
      'Let the client sign the whole body, or none of it: clients do so over https by default.',
    );
  }
  return refuse('aws.malformed', 'The request has an X-Amz-Content-SHA256 that is no hash.');
};

const same = (one: string, other: string): boolean =>
  one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));

/** The headers that go upstream: the real token in place of the placeholder's, and what the broker asks for itself. */
const outgoingHeaders = ({ placeholder, real }: Pair, request: JudgedRequest): HeaderPairs => {
  const kept = withoutHopByHop(request.headers)
    .filter(([name]) => name.toLowerCase() !== 'x-amz-security-token')
    // What comes back has to be readable; said here, for it may be among what is signed.
    .map(([name, value]): readonly [string, string] =>
      name.toLowerCase() === 'accept-encoding' ? [name, 'identity'] : [name, value],
    );
  const token = valueOf(request.headers, 'x-amz-security-token');
  const other = token !== undefined && token !== placeholder.sessionToken;
  // A token that is not ours is for the service to refuse.
  if (other) return [...kept, ['X-Amz-Security-Token', token]];
  return real.sessionToken === undefined
    ? kept
    : [...kept, ['X-Amz-Security-Token', real.sessionToken]];
};

const signAnew = (
  pair: Pair,
  request: SignedRequest,
  header: Sigv4Header,
  outgoing: HeaderPairs,
): HeaderPairs => {
  const present = new Set(outgoing.map(([name]) => name.toLowerCase()));
  const signedHeaders = [
    ...new Set([
      ...header.signedHeaders.filter((name) => name === 'host' || present.has(name)),
      ...(present.has('x-amz-security-token') ? ['x-amz-security-token'] : []),
    ]),
  ].toSorted();
  const signable = { ...request, headers: outgoing, signedHeaders };
  const authorization = writeSigv4Header({
    ...header,
    accessKeyId: pair.real.accessKeyId,
    signedHeaders,
    signature: sigv4Signature(signable, pair.real.secretAccessKey),
  });
  return outgoing.map(([name, value]): readonly [string, string] =>
    name.toLowerCase() === 'authorization' ? [name, authorization] : [name, value],
  );
};

const mediate = (pair: Pair, request: JudgedRequest, clock: Clock): Result<Mediation, Refusal> => {
  const header = readSigv4Header(valueOf(request.headers, 'authorization') ?? '');
  if (!header.ok) return refuse('aws.malformed', header.error.message);
  const time = checkTime(valueOf(request.headers, 'x-amz-date'), header.value, clock);
  if (!time.ok) return time;
  const payload = payloadOf(request);
  if (!payload.ok) return payload;
  const { host, port } = request.to;
  const named = valueOf(request.headers, 'host');
  const hostHeader: HeaderPairs =
    named === undefined ? [['Host', port === 443 ? host : `${host}:${String(port)}`]] : [];
  const signed = (payloadHash: string): SignedRequest => ({
    method: request.method,
    target: request.target,
    headers: [...request.headers, ...hostHeader],
    signedHeaders: header.value.signedHeaders,
    payloadHash,
    time: time.value,
    scope: header.value.scope,
  });
  /** Only who holds the placeholder's secret half may have a request signed. */
  const sign = (hash: string, body: Buffer): Result<HeaderPairs, Refusal> => {
    const asked = signed(hash);
    const expected = sigv4Signature(asked, pair.placeholder.secretAccessKey);
    if (!same(expected, header.value.signature)) {
      return refuse(
        'aws.bad-signature',
        `The signature of the request to ${host} does not fit the sandbox’s key pair.`,
        'Sign with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY as they are set inside.',
      );
    }
    if (mintsCredential(header.value.scope.service, request, body)) {
      return refuse(
        'aws.new-credential',
        `${host} would answer that call with a new credential, which may not come inside.`,
        'Grant a credential that has the rights already.',
      );
    }
    const outgoing = outgoingHeaders(pair, request);
    const anew = signAnew(pair, asked, header.value, [...outgoing, ...hostHeader]);
    return ok(named === undefined ? anew.slice(0, -1) : anew);
  };
  const base = {
    target: request.target,
    used: [pair.grant],
    sealed: true,
    answer: { type: 'stream' as const },
  };
  if (payload.value.type === 'declared' && !tellsInBody(header.value.scope.service)) {
    const headers = sign(payload.value.hash, Buffer.alloc(0));
    return headers.ok ? ok({ ...base, headers: headers.value, body: { type: 'stream' } }) : headers;
  }
  const declared = payload.value.type === 'declared' ? payload.value.hash : undefined;
  return ok({
    ...base,
    headers: request.headers,
    body: {
      type: 'hold',
      maxBytes: MAX_SIGNED_BODY_BYTES,
      release: async (body) => {
        const headers = sign(declared ?? sha256Hex(body), body);
        return headers.ok ? ok({ target: request.target, headers: headers.value, body }) : headers;
      },
    },
  });
};

/**
 * Takes requests signed with a placeholder pair at a host of its grant: the client's own signature is
 * verified with the placeholder's secret half, then the request as it goes upstream is signed with the
 * real pair. A body whose hash the client declares is streamed, for the service holds it against that
 * hash; where no header tells the hash, the body is held until it can be counted in.
 */
export const createAwsMediator = (book: CredentialBook, clock: Clock): Mediator => {
  const rememberedPair = remember(pairOf);
  return (request) => {
    const { host, port, tls } = request.to;
    if (!tls) return undefined;
    const pairs = book.held().flatMap((held) => rememberedPair(held) ?? []);
    const text = [request.target, valueOf(request.headers, 'authorization') ?? ''].join(' ');
    const pair = pairs.find(
      ({ grant, placeholder }) =>
        text.includes(placeholder.accessKeyId) && grantCovers(grant, host, port),
    );
    if (pair === undefined) return undefined;
    const other = otherWay(pair, request);
    if (other !== undefined) return err(other);
    const rest = request.headers.filter(
      ([name, value]) =>
        name.toLowerCase() !== 'authorization' &&
        !(name.toLowerCase() === 'x-amz-security-token' && value === pair.placeholder.sessionToken),
    );
    // A placeholder anywhere else, or outside its grant's scope, is the plain way's to tell.
    if (outsideScope(pair.grant, request) !== undefined) return undefined;
    if (injectRequest(book.held(), { ...request, headers: rest }).type === 'tripped')
      return undefined;
    return mediate(pair, request, clock);
  };
};
