import { MAX_URL_PATH_CHARS } from '../contract/bounds.ts';
import { fail, ok, type Result } from '../kit/index.ts';

/** A request target that means one thing: its path and query, byte for byte as they came. */
export type CanonicalPath = {
  readonly path: string;
  /** With its `?`; empty where there is none. */
  readonly query: string;
};

/** Segments that hold nothing to look into: no escape, no parameter, no dot in front. */
const PLAIN_PATH = /^(?:\/(?:[\w~!$&'()*+,=:@-][\w.~!$&'()*+,=:@-]*)?)+$/;

/** How often percent-encoding is peeled off to look below; deeper nesting is refused. */
const MAX_DECODE_ROUNDS = 4;

const VISIBLE_ASCII = /^[\x21-\x7e]+$/;
const BROKEN_ESCAPE = /%(?![0-9a-f]{2})/i;
const ENCODED_SEPARATOR = /%(?:2f|5c)/i;
// Bytes that valid UTF-8 never has: overlong spellings of ASCII, dots and slashes among them.
const OVERLONG = /%c[01]/i;
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;
const refuse = (why: string): Result<CanonicalPath> =>
  fail('egress.bad-path', `The path ${why}.`, 'Send it in its plain form.');

const isDotSegment = (segment: string): boolean => {
  // Some servers cut path parameters off before they resolve dots: `/..;x/`.
  const [name] = segment.split(';');
  return name === '.' || name === '..';
};

const peel = (text: string): string =>
  text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

/**
 * Accepts an origin-form target (RFC 9112 3.2.1) that every server reads alike, and changes nothing
 * in it. Refused with `egress.bad-path`: fragments, raw spaces, controls, non-ASCII and backslashes;
 * dot segments plain or encoded, encoded slashes taken for slashes and for none; encoded backslashes
 * and controls; each of these also below further layers of encoding, and encoded slashes there;
 * broken escapes. One layer of encoded slashes passes (npm's `/@scope%2fname`, GitLab's
 * `/projects/group%2Frepo`): it cannot step out of its place, and path patterns match it only where
 * they write it out.
 * Plain dot segments are refused, not resolved: clients resolve them before they send.
 * Empty segments (`//`) pass as they are. In the query only raw characters are judged.
 */
export const canonicalPath = (target: string): Result<CanonicalPath> => {
  if (target.length > MAX_URL_PATH_CHARS) return refuse('is too long');
  if (!target.startsWith('/')) return refuse('does not begin with a slash');
  if (!VISIBLE_ASCII.test(target))
    return refuse('has spaces, control or non-ASCII characters in it');
  if (target.includes('#')) return refuse('has a fragment');
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark);
  if (PLAIN_PATH.test(path)) return ok({ path, query });
  if (BROKEN_ESCAPE.test(path)) return refuse('has a broken percent escape');
  if (OVERLONG.test(path)) return refuse('has an overlong encoding in it');

  let layer = path.replaceAll(/%2f/gi, '/');
  for (let round = 0; round < MAX_DECODE_ROUNDS; round += 1) {
    if (layer.includes('\\')) return refuse('has a backslash in it');
    if (CONTROL.test(layer)) return refuse('has an encoded control character in it');
    if (ENCODED_SEPARATOR.test(layer))
      return refuse('has a doubly encoded slash or an encoded backslash in it');
    if (layer.split('/').some(isDotSegment)) return refuse('has dot segments in it');
    const below = peel(layer);
    if (below === layer) return ok({ path, query });
    layer = below;
  }
  return refuse('is encoded too many times');
};
