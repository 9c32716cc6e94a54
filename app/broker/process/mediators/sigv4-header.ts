import { fail, ok, type Result } from '../../../kit/index.ts';

/** Longest `Authorization` header that is read, in characters. */
export const MAX_AUTHORIZATION_CHARS = 8192;
/** Most headers that one signature covers. */
export const MAX_SIGNED_HEADERS = 128;

export const SIGV4 = 'AWS4-HMAC-SHA256';

/** What a signature was made for: the key for it is derived from these (SigV4, "credential scope"). */
export type SigningScope = {
  /** `YYYYMMDD`. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
};

/** An `Authorization` header of Signature Version 4. */
export type Sigv4Header = {
  readonly accessKeyId: string;
  readonly scope: SigningScope;
  /** Lower case, sorted, each once; `host` is among them. */
  readonly signedHeaders: readonly string[];
  /** 64 hex digits. */
  readonly signature: string;
};

const FIELD = /^(Credential|SignedHeaders|Signature)=(\S+)$/;
const CREDENTIAL =
  /^([A-Za-z0-9]{16,128})\/([0-9]{8})\/([a-z0-9-]{1,64})\/([A-Za-z0-9-]{1,64})\/aws4_request$/;
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
const SIGNATURE = /^[0-9a-f]{64}$/;

const malformed = (why: string): Result<never> =>
  fail('aws.malformed', `The Authorization header of the request ${why}.`);

/**
 * Reads `AWS4-HMAC-SHA256 Credential=ID/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…, Signature=…`.
 * Each field once, in any order, as AWS takes them. `aws.malformed` for anything else.
 */
export const readSigv4Header = (value: string): Result<Sigv4Header> => {
  if (value.length > MAX_AUTHORIZATION_CHARS) return malformed('is too long');
  const [, listed] = /^AWS4-HMAC-SHA256\s+(.+)$/.exec(value) ?? [];
  if (listed === undefined) return malformed('is not one of Signature Version 4');
  const fields = new Map<string, string>();
  for (const part of listed.split(',')) {
    const [, name, text] = FIELD.exec(part.trim()) ?? [];
    if (name === undefined || text === undefined || fields.has(name))
      return malformed('has a field that none has, or one twice');
    fields.set(name, text);
  }
  const [, accessKeyId, date, region, service] =
    CREDENTIAL.exec(fields.get('Credential') ?? '') ?? [];
  if (
    accessKeyId === undefined ||
    date === undefined ||
    region === undefined ||
    service === undefined
  )
    return malformed('names no credential and scope');
  const signature = fields.get('Signature') ?? '';
  if (!SIGNATURE.test(signature)) return malformed('has no signature');
  const signedHeaders = (fields.get('SignedHeaders') ?? '').split(';');
  if (signedHeaders.length > MAX_SIGNED_HEADERS) return malformed('covers too many headers');
  if (!signedHeaders.every((name) => NAME.test(name)))
    return malformed('covers a header that has no name');
  const sorted = signedHeaders.every(
    (name, at) => at === 0 || (signedHeaders[at - 1] ?? '') < name,
  );
  if (!sorted) return malformed('lists its headers out of order');
  if (!signedHeaders.includes('host')) return malformed('does not cover the host');
  return ok({ accessKeyId, scope: { date, region, service }, signedHeaders, signature });
};

/** The header as a client writes it; `readSigv4Header` reads it back. */
export const writeSigv4Header = ({
  accessKeyId,
  scope: { date, region, service },
  signedHeaders,
  signature,
}: Sigv4Header): string =>
  `${SIGV4} Credential=${accessKeyId}/${date}/${region}/${service}/aws4_request, ` +
  `SignedHeaders=${signedHeaders.join(';')}, Signature=${signature}`;
