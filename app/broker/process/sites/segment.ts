import { percentDecode, percentEncode } from './percent.ts';
import type { Swap, Swapped } from './swap.ts';

/** What may stand unescaped in a path segment (RFC 3986 3.3), but for the semicolon, which servers cut at. */
const KEPT = "-._~!$&'()*+,=:@";

/**
 * Puts the real value into the one path segment that is the prefix and the placeholder and nothing
 * else. Undefined where there is none or more than one.
 */
export const swapSegment = (
  path: string,
  prefix: string,
  { placeholder, secret }: Swap,
): Swapped | undefined => {
  const segments = path.split('/');
  const wanted = `${prefix}${placeholder}`;
  const hits = segments.flatMap((segment, at) => (percentDecode(segment) === wanted ? [at] : []));
  const [at, second] = hits;
  if (at === undefined || second !== undefined) return undefined;
  const put = (filling: string): string =>
    segments.map((segment, index) => (index === at ? filling : segment)).join('/');
  return { text: put(`${prefix}${percentEncode(secret, KEPT)}`), rest: put(prefix) };
};
