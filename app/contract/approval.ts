import { z } from 'zod';
import { assertNever } from '../kit/index.ts';
import {
  APPROVAL_ANSWERS,
  APPROVAL_SCOPES,
  MAX_HOST_CHARS,
  MAX_NAME_CHARS,
  MAX_QUESTION_ID_CHARS,
  MAX_QUESTION_NAME_CHARS,
  MAX_QUESTION_PATH_CHARS,
  MAX_QUESTION_REFS,
  QUESTION_ID,
} from './bounds.ts';
import { Program } from './program.ts';

/** How long a question waits for a person, in milliseconds. */
export const ANSWER_WAIT_MS = 120_000;

/** Names one question within its session, and the approval on the timeline. */
export const QuestionId = z
  .string()
  .max(MAX_QUESTION_ID_CHARS)
  .regex(QUESTION_ID, 'not a question’s id');
export type QuestionId = z.infer<typeof QuestionId>;

/** What is asked about: reaching a destination, or one act of a git client there. */
const Asking = {
  what: z.enum(['destination', 'git-push', 'git-fetch']),
  scheme: z.enum(['http', 'https']),
  host: z.string().min(1).max(MAX_HOST_CHARS),
  port: z.int().min(0).max(65_535),
  /** The request that waits; a destination's approval for once covers this request alone. */
  method: z.string().max(32).optional(),
  path: z.string().max(MAX_QUESTION_PATH_CHARS).optional(),
  repository: z.string().max(MAX_QUESTION_NAME_CHARS).optional(),
  /** What a push does, each as `update refs/heads/main`. */
  refs: z
    .array(z.string().max(MAX_QUESTION_NAME_CHARS + 8))
    .max(MAX_QUESTION_REFS)
    .optional(),
  /** Name of the credential that would be put in. */
  credential: z.string().max(MAX_NAME_CHARS).optional(),
  program: Program.optional(),
};

export const Question = z.strictObject(Asking);
export type Question = z.infer<typeof Question>;

/** A question that waits for its answer. */
export const OpenQuestion = z.strictObject({
  ...Asking,
  id: QuestionId,
  /** RFC 3339; when it was asked and when it is answered with no. */
  at: z.string().max(32),
  endsAt: z.string().max(32),
});
export type OpenQuestion = z.infer<typeof OpenQuestion>;

/** `once`: exactly what waits now; `session`: this destination, this repository, or these branches until the end. */
export const ApprovalScope = z.enum(APPROVAL_SCOPES);
export type ApprovalScope = z.infer<typeof ApprovalScope>;

/** What a person says to a question. */
export const Reply = z.strictObject({ verdict: z.enum(['allow', 'deny']), scope: ApprovalScope });
export type Reply = z.infer<typeof Reply>;

/** What became of a question; only `allowed` lets anything pass. */
export const ApprovalAnswer = z.enum(APPROVAL_ANSWERS);
export type ApprovalAnswer = z.infer<typeof ApprovalAnswer>;

/** What of a question stands on the record, beside its words and its answer. */
export const ApprovalFacts = {
  what: Asking.what,
  host: Asking.host,
  port: Asking.port,
  method: Asking.method,
  path: Asking.path,
  repository: Asking.repository,
  refs: Asking.refs,
  credential: Asking.credential,
};

const placeOf = ({ scheme, host, port }: Pick<Question, 'scheme' | 'host' | 'port'>): string =>
  port === (scheme === 'https' ? 443 : 80) ? host : `${host}:${String(port)}`;

/** The question in one line, the same in the window, on the command line and on the timeline. */
export const questionWords = (question: Question): string => {
  const place = placeOf(question);
  switch (question.what) {
    case 'destination':
      return `May this session reach ${place}?`;
    case 'git-push':
      return `May this session push to ${place}/${question.repository ?? ''}?`;
    case 'git-fetch':
      return `May this session fetch from ${place}/${question.repository ?? ''}?`;
    default:
      return assertNever(question.what, 'putting a question');
  }
};
