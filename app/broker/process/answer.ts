import { failure } from '../../kit/index.ts';
import { parseCodings } from './content-decoding.ts';
import { lowerName } from './field-name.ts';
import { withoutHopByHop } from './hop.ts';
import type { HeaderPairs } from './inject.ts';
import type { Refusal } from './refuse.ts';
import type { Scrubber } from './scrub.ts';

/** Largest body that is collected so that its new length can be told, in bytes; larger ones go chunked. */
export const MAX_COLLECTED_BYTES = 65_536;

/** How an answer's body reaches the sandbox. */
export type BodyPlan =
  | { readonly type: 'as-is' }
  /** Searched in passing; `encoding` is decoded first, `collect` waits for the end to tell the length. */
  | {
      readonly type: 'scrub';
      readonly encoding: string | undefined;
      readonly collect: boolean;
      /** Replacements keep the length of what they stand for. */
      readonly sameLength: boolean;
    };

export type AnswerPlan = {
  readonly headers: HeaderPairs;
  readonly reason: string;
  readonly body: BodyPlan;
  readonly hits: number;
};

/** Bodies of messages that count their own bytes, gRPC's, protobuf's and git's: another length would break them. */
const COUNTED =
  /^application\/(grpc|connect\+proto|x-protobuf|protobuf|vnd\.google\.protobuf|x-git-|(x-|vnd\.)?msgpack|cbor)/i;
/** Statuses whose answers end with their head for every reader (RFC 9112 6.3); 205 should, and is framed like any other. */
const NO_BODY = new Set([204, 304]);
const WRITABLE = /^[\t\u0020-\u007e\u0080-\u00ff]*$/;
/** Validators and digests of bytes that are no longer the ones sent. */
const DIGESTS = new Set([
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'etag',
  'accept-ranges',
]);

/** Headers without those that describe the bytes as the server sent them. */
export const withoutDigests = (headers: HeaderPairs): HeaderPairs =>
  headers.filter(([name]) => !DIGESTS.has(lowerName(name)));

const scrubPairs = (
  scrubber: Scrubber,
  pairs: HeaderPairs,
): { pairs: HeaderPairs; hits: number } => {
  // Nearly every header section holds none: one search over all of it says so.
  let whole = '';
  for (const [name, value] of pairs) whole += `${name}\0${value}\0`;
  if (scrubber.text(whole).hits === 0) return { pairs, hits: 0 };
  let hits = 0;
  const clean = pairs.map(([name, value]) => {
    const cleanName = scrubber.text(name);
    const cleanValue = scrubber.text(value);
    hits += cleanName.hits + cleanValue.hits;
    return [cleanName.text, cleanValue.text] as const;
  });
  return { pairs: clean, hits };
};

/** Scrubs trailers the same way as headers. */
export const planTrailers = scrubPairs;

/** Decides how an answer goes on: headers cleaned, framing right for what will be sent. */
export const planAnswer = (
  scrubber: Scrubber,
  received: {
    readonly status: number;
    readonly reason: string;
    readonly headers: HeaderPairs;
    readonly method: string;
    readonly version: 'h1' | 'h2';
    /** A credential may go to where this comes from: all of it has to be readable. */
    readonly readable: boolean;
  },
): AnswerPlan | Refusal => {
  // Words that could not be written again are left out; they mean nothing to a program.
  const words = WRITABLE.test(received.reason) ? received.reason : '';
  const kept = withoutHopByHop(received.headers);
  if (!scrubber.active) return { headers: kept, reason: words, body: { type: 'as-is' }, hits: 0 };
  const cleaned = scrubPairs(scrubber, kept);
  const reason = scrubber.text(words);
  const hits = cleaned.hits + reason.hits;
  const done = (headers: HeaderPairs, body: BodyPlan): AnswerPlan => ({
    headers,
    reason: reason.text,
    body,
    hits,
  });
  if (received.method === 'HEAD' || NO_BODY.has(received.status))
    return done(cleaned.pairs, { type: 'as-is' });

  const value = (wanted: string): string | undefined => {
    let found: string | undefined;
    for (const [name, text] of cleaned.pairs) {
      if (name.length !== wanted.length || lowerName(name) !== wanted) continue;
      found = found === undefined ? text : `${found}, ${text}`;
    }
    return found;
  };
  const encoding = value('content-encoding');
  const codings = parseCodings(encoding);
  const plain = codings?.length === 0;
  // Nothing is there to search in an empty body, whatever it claims to be.
  if (codings === undefined && value('content-length') !== '0') {
    return failure(
      'scrub.unreadable',
      `The answer is encoded as ${String(encoding).slice(0, 64)} and cannot be searched for secrets.`,
    );
  }
  const messages = value('grpc-encoding');
  if (received.readable && messages !== undefined && !/^\s*identity\s*$/i.test(messages)) {
    return failure(
      'scrub.unreadable',
      `The answer’s messages are encoded as ${messages.slice(0, 64)} and cannot be searched for secrets.`,
    );
  }
  const length = Number(value('content-length') ?? Number.NaN);
  // HTTP/2 frames what comes by itself: there is no length to wait for.
  const sameLength = COUNTED.test(value('content-type') ?? '');
  const collect =
    !sameLength &&
    received.version === 'h1' &&
    plain &&
    scrubber.changesLength &&
    length <= MAX_COLLECTED_BYTES;
  const lengthHolds = plain && (sameLength || !scrubber.changesLength);
  const dropped = new Set<string>();
  if (!lengthHolds) dropped.add('content-length');
  if (!plain) {
    dropped.add('content-encoding');
    for (const name of DIGESTS) dropped.add(name);
  }
  return done(
    cleaned.pairs.filter(([name]) => !dropped.has(lowerName(name))),
    { type: 'scrub', encoding: plain ? undefined : encoding, collect, sameLength },
  );
};
