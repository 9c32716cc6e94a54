import { err, failure, ok, parseJsonObject, type Result } from '../../../kit/index.ts';
import type { HeaderPairs } from '../inject.ts';
import type { Refusal } from '../refuse.ts';

/** Longest request to a token endpoint that is read, in bytes. */
export const MAX_TOKEN_REQUEST_BYTES = 64 * 1024;

/** The fields of a request for a token, with the way to write them again. */
export type TokenRequest = {
  readonly fields: ReadonlyMap<string, string>;
  readonly write: (fields: ReadonlyMap<string, string>) => Buffer;
};

const typeOf = (headers: HeaderPairs): string =>
  (headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '')
    .split(';')[0]
    ?.trim()
    .toLowerCase() ?? '';

/** RFC 6749 3.2: no parameter twice. Servers differ in which of the two they take, and some in no case of letters. */
const namedTwice = (names: readonly string[]): Result<never, Refusal> | undefined => {
  const seen = new Set<string>();
  for (const name of names) {
    const folded = name.toLowerCase();
    if (seen.has(folded))
      return err(failure('oauth.bad-request', `The request names ${name.slice(0, 40)} twice.`));
    seen.add(folded);
  }
  return undefined;
};

const readForm = (text: string): Result<TokenRequest, Refusal> => {
  const pairs = [...new URLSearchParams(text)];
  const twice = namedTwice(pairs.map(([name]) => name));
  if (twice !== undefined) return twice;
  return ok({
    fields: new Map(pairs),
    write: (written) => Buffer.from(new URLSearchParams([...written]).toString()),
  });
};

const readJson = (text: string): Result<TokenRequest, Refusal> | undefined => {
  const whole = parseJsonObject(text);
  if (whole === undefined) return undefined;
  const twice = namedTwice(Object.keys(whole));
  if (twice !== undefined) return twice;
  const fields = new Map<string, string>();
  for (const [name, value] of Object.entries(whole)) {
    if (typeof value === 'string') fields.set(name, value);
  }
  // Written from what was read, so that a name that stood there twice goes on once.
  return ok({
    fields,
    write: (written) => Buffer.from(JSON.stringify({ ...whole, ...Object.fromEntries(written) })),
  });
};

/** Reads a request for a token, as a form or as JSON; undefined where it is neither. */
export const readTokenRequest = (
  headers: HeaderPairs,
  body: Buffer,
): Result<TokenRequest, Refusal> | undefined => {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return undefined;
  }
  switch (typeOf(headers)) {
    case 'application/x-www-form-urlencoded':
      return readForm(text);
    case 'application/json':
      return readJson(text);
    default:
      return undefined;
  }
};
