import { assertNever, ok, type Result } from '../../kit/index.ts';
import { decodeWhole, parseCodings } from './content-decoding.ts';
import type { Bound, CredentialBook, Finding } from './credential-book.ts';
import type { BodyGate, Released } from './mediate.ts';
import type { Refusal } from './refuse.ts';

/** Longest encoded request body whose inside can be searched, in bytes; longer ones are refused. */
export const MAX_ENCODED_UPLOAD_BYTES = 32 * 1024 * 1024;
/** Longest it may be once it is decoded, in bytes. */
export const MAX_DECODED_UPLOAD_BYTES = 256 * 1024 * 1024;

/** The first thing in a whole body that may not go there. */
export const findingIn = (
  book: CredentialBook,
  body: Buffer,
  bound: Bound,
): Finding | undefined => {
  const search = book.bodyTrip(bound);
  const [hit] = [...search.push(body).hits, ...search.end().hits];
  return hit === undefined ? undefined : book.findingOf(hit);
};

/** Longest compressed body of which a mediator reads the beginning, in bytes: git compresses no push. */
export const MAX_ENCODED_PEEK_BYTES = 4 * 1024 * 1024;

type Search = (body: Buffer) => Promise<Result<void, Refusal>>;

/** What a mediator holds or peeks into it reads as it came; the inside is searched before any of it goes. */
const searchedFirst = (gate: BodyGate, as: Omit<Released, 'body'>, search: Search): BodyGate => {
  switch (gate.type) {
    case 'stream':
      return {
        type: 'hold',
        maxBytes: MAX_ENCODED_UPLOAD_BYTES,
        release: async (body) => {
          const searched = await search(body);
          return searched.ok ? ok({ ...as, body }) : searched;
        },
      };
    case 'hold':
      return {
        type: 'hold',
        maxBytes: Math.min(gate.maxBytes, MAX_ENCODED_UPLOAD_BYTES),
        release: async (body) => {
          const searched = await search(body);
          return searched.ok ? gate.release(body) : searched;
        },
      };
    case 'peek':
      return {
        type: 'peek',
        maxBytes: MAX_ENCODED_PEEK_BYTES,
        read: async (soFar, last, waiting) => {
          if (!last) return ok('more');
          // Of what its mediator cannot read either, it has more to say.
          const said = await gate.read(soFar, true, waiting);
          if (!said.ok) return said;
          const searched = await search(soFar);
          return searched.ok ? ok('go') : searched;
        },
      };
    default:
      return assertNever(gate, 'searching a compressed body');
  }
};

/**
 * The gate for a body that is compressed: it waits until all of it has been decoded and searched, and
 * then goes as it came, or as its mediator has it. Undefined where there is no coding, or none that
 * can be read: such a body is searched as it is, like any other bytes that a program makes up.
 */
export const gateEncoded = (
  book: CredentialBook,
  contentEncoding: string | undefined,
  gate: BodyGate,
  as: Omit<Released, 'body'>,
  bound: Bound,
  refuse: (finding: Finding) => Refusal,
): BodyGate | undefined => {
  const codings = parseCodings(contentEncoding);
  if (codings === undefined || codings.length === 0) return undefined;
  return searchedFirst(gate, as, async (body) => {
    const decoded = await decodeWhole(body, codings, MAX_DECODED_UPLOAD_BYTES);
    // What its server could not read either might be read by another; it may not hide anything.
    if (!decoded.ok) return decoded;
    const finding = findingIn(book, decoded.value, bound);
    return finding === undefined ? ok(undefined) : { ok: false, error: refuse(finding) };
  });
};
