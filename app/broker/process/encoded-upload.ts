import { ok, type Result } from '../../kit/index.ts';
import { decodeWhole, parseCodings } from './content-decoding.ts';
import type { CredentialBook, Finding } from './credential-book.ts';
import type { BodyGate, Released } from './mediate.ts';
import type { Refusal } from './refuse.ts';

/** Longest encoded request body whose inside can be searched, in bytes; longer ones are refused. */
export const MAX_ENCODED_UPLOAD_BYTES = 32 * 1024 * 1024;
/** Longest it may be once it is decoded, in bytes. */
export const MAX_DECODED_UPLOAD_BYTES = 256 * 1024 * 1024;

/** The first thing in a whole body that may not leave. */
export const findingIn = (book: CredentialBook, body: Buffer): Finding | undefined => {
  const search = book.bodyTrip();
  const [hit] = [...search.push(body).hits, ...search.end().hits];
  return hit === undefined ? undefined : book.findingOf(hit);
};

/**
 * The gate for a body that is compressed: it waits until all of it has been decoded and searched, and
 * then goes as it came. Undefined where there is no coding, or none that can be read: such a body is
 * searched as it is, like any other bytes that a program makes up.
 */
export const gateEncoded = (
  book: CredentialBook,
  contentEncoding: string | undefined,
  as: Omit<Released, 'body'>,
  refuse: (finding: Finding) => Refusal,
): BodyGate | undefined => {
  const codings = parseCodings(contentEncoding);
  if (codings === undefined || codings.length === 0) return undefined;
  return {
    type: 'hold',
    maxBytes: MAX_ENCODED_UPLOAD_BYTES,
    release: async (body): Promise<Result<Released, Refusal>> => {
      const decoded = await decodeWhole(body, codings, MAX_DECODED_UPLOAD_BYTES);
      // What its server could not read either might be read by another; it may not hide anything.
      if (!decoded.ok) return decoded;
      const finding = findingIn(book, decoded.value);
      return finding === undefined ? ok({ ...as, body }) : { ok: false, error: refuse(finding) };
    },
  };
};
