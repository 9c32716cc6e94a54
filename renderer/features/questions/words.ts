import type { OpenQuestion } from '../../../app/contract/index.ts';
import { assertNever } from '../../../app/kit/index.ts';
import { formatDuration, formatSpan } from '../../ui/format.ts';

/** The destination as a person reads it: the port only where it is not the usual one. */
export const placeWords = ({ scheme, host, port }: OpenQuestion): string =>
  port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${String(port)}`;

/** What is about to happen there: `POST /v2/events`, `push to acme/harbor-api`. */
export const actWords = (question: OpenQuestion): string => {
  switch (question.what) {
    case 'destination':
      return `${question.method ?? ''} ${question.path ?? ''}`.trim();
    case 'git-push':
      return `push to ${question.repository ?? ''}`;
    case 'git-fetch':
      return `fetch from ${question.repository ?? ''}`;
    default:
      return assertNever(question.what, 'a question in words');
  }
};

/** What leave for the whole session would cover. */
export const sessionWords = (question: OpenQuestion): string => {
  switch (question.what) {
    case 'destination':
      return `every request to ${question.scheme}://${placeWords(question)}`;
    case 'git-push':
      return question.refs?.length === 1 ? 'pushes to this branch' : 'pushes to these branches';
    case 'git-fetch':
      return 'fetching from this repository';
    default:
      return assertNever(question.what, 'the reach of an answer');
  }
};

/** How long a question still stands, from milliseconds: `refused in 1 min 48 s`, `refused in 9 s`. */
export const leftWords = (leftMs: number): string => {
  if (leftMs <= 0) return 'its time is up';
  return `refused in ${leftMs < 60_000 ? formatSpan(leftMs) : formatDuration(leftMs)}`;
};
