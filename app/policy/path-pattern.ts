import { fail, ok, type Brand, type Result } from '../kit/index.ts';
import { canonicalPath } from './path.ts';
import { checkSegments, matchSegments, type SegmentMatch } from './segment-pattern.ts';

/** A pattern over canonical paths, as `/v1/*`. Minted by `parsePathPattern` only. */
export type PathPattern = Brand<string, 'PathPattern'>;

/** Most characters of one path pattern. */
export const MAX_PATH_PATTERN_CHARS = 1024;

const decode = (segment: string): string =>
  segment.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );

const partsOf = (path: string): readonly string[] => path.slice(1).split('/');

/**
 * Reads a path pattern: it begins with a slash, `*` stands for one segment, `**` for any number, all
 * else is literal and case counts. It has no query.
 */
export const parsePathPattern = (text: string): Result<PathPattern> => {
  if (text.length > MAX_PATH_PATTERN_CHARS) return fail('policy.invalid', 'The path is too long.');
  if (text.includes('?')) {
    return fail('policy.invalid', 'A path pattern has no query.', 'Leave out the ? and the rest.');
  }
  const path = canonicalPath(text);
  if (!path.ok) return fail('policy.invalid', path.error.message, 'Write it like /v1/* or /v1/**.');
  if (text.slice(0, -1).includes('//')) {
    return fail('policy.invalid', 'The path pattern has an empty part.');
  }
  const checked = checkSegments(text.slice(1).split('/'), 'The path pattern');
  return checked.ok ? ok(text as PathPattern) : checked;
};

// Behind an encoded slash some servers see two segments and some see one: no star stands for it.
const PATHS: SegmentMatch = {
  // Only here are a pattern's escapes read: a star that is written as one (`%2A`) stands for itself.
  same: (literal, segment) => decode(literal) === segment,
  free: (segment) => !segment.includes('/'),
};

/**
 * Whether a canonical path (without its query) fits the pattern. Percent escapes are read once, as
 * servers read them. A path with empty segments fits nothing: some servers fold them, some do not. A
 * segment with an encoded slash fits only a pattern that writes it out (`/projects/group%2Frepo/**`).
 */
export const matchesPathPattern = (pattern: PathPattern, path: string): boolean =>
  path.startsWith('/') &&
  !path.includes('//') &&
  matchSegments(partsOf(pattern), partsOf(path).map(decode), PATHS);
