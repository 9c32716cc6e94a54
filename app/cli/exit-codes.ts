import type { Failure } from '../kit/index.ts';

/** Exit codes beside the command's own, as `docker run` has them. */
export const EXIT = { done: 0, failed: 125, refused: 126, notFound: 127 } as const;

const REFUSED = new Set(['policy.refused', 'policy.invalid', 'project.forbidden', 'not-yet']);
const NOT_FOUND = new Set([
  'session.not-found',
  'credential.not-found',
  'grant.unknown',
  'project.not-a-folder',
]);

/** 126 where policy refuses, 127 where something is not there, 125 for every other failure of ours. */
export const exitCodeOf = (failure: Failure): number => {
  if (REFUSED.has(failure.code)) return EXIT.refused;
  return NOT_FOUND.has(failure.code) ? EXIT.notFound : EXIT.failed;
};
