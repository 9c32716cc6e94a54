import { fail, ok, type Result } from '../kit/index.ts';

/** Most segments of one pattern. */
export const MAX_PATTERN_SEGMENTS = 32;
/** Most `**` of one pattern; nobody can tell what more of them mean. */
export const MAX_PATTERN_DEPTHS = 4;

/**
 * Reads a pattern over `/`-separated segments: `*` stands for one whole segment that is not empty, `**` for any number of
 * them, none included; all else is literal. A star inside a segment is refused: it would look like a
 * pattern and match nothing. `what` begins the message (`The path pattern`).
 */
export const checkSegments = (segments: readonly string[], what: string): Result<void> => {
  if (segments.length > MAX_PATTERN_SEGMENTS) {
    return fail('policy.invalid', `${what} has more than ${MAX_PATTERN_SEGMENTS} parts.`);
  }
  if (segments.filter((segment) => segment === '**').length > MAX_PATTERN_DEPTHS) {
    return fail('policy.invalid', `${what} has more than ${MAX_PATTERN_DEPTHS} of **.`);
  }
  if (segments.some((segment) => segment.includes('*') && segment !== '*' && segment !== '**')) {
    return fail(
      'policy.invalid',
      `${what} has a star inside a part.`,
      'A star stands for a whole part: * for one, ** for any number.',
    );
  }
  return ok(undefined);
};

/** How segments are compared. */
export type SegmentMatch = {
  /** Whether a literal of the pattern means this segment. */
  readonly same: (literal: string, segment: string) => boolean;
  /** Whether a star may stand for this segment. */
  readonly free: (segment: string) => boolean;
};

const EXACT: SegmentMatch = { same: (literal, segment) => literal === segment, free: () => true };

/**
 * Whether the segments fit the pattern's, whole. Takes time in proportion to both: the segments are
 * the sandbox's to choose, and trying each `**` against each of them would not end.
 */
export const matchSegments = (
  pattern: readonly string[],
  segments: readonly string[],
  match: SegmentMatch = EXACT,
): boolean => {
  // Which places of the pattern can be reached; a `**` may stand for nothing.
  const withSkipped = (reached: readonly boolean[]): readonly boolean[] => {
    const all = [...reached];
    for (const [at, part] of pattern.entries()) {
      if (all[at] === true && part === '**') all[at + 1] = true;
    }
    return all;
  };
  let reached = withSkipped([true]);
  for (const segment of segments) {
    const next: boolean[] = [];
    const free = match.free(segment);
    for (const [at, part] of pattern.entries()) {
      if (reached[at] !== true) continue;
      if (part === '**') next[at] ||= free;
      else if (part === '*' ? free && segment !== '' : match.same(part, segment)) {
        next[at + 1] = true;
      }
    }
    reached = withSkipped(next);
  }
  return reached[pattern.length] === true;
};
