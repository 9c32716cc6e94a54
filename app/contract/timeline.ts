import { z } from 'zod';
import {
  MAX_HOST_CHARS,
  MAX_MESSAGE_CHARS,
  MAX_NAME_CHARS,
  MAX_PATH_CHARS,
  MAX_URL_PATH_CHARS,
} from './bounds.ts';
import { ApprovalAnswer, ApprovalFacts, ApprovalScope, QuestionId } from './approval.ts';
import { CODE_LIST } from './codes.ts';
import { Argv, Program } from './program.ts';

const Count = z.int().min(0);

export const Verdict = z.enum(['allowed', 'denied']);
export type Verdict = z.infer<typeof Verdict>;

const Common = {
  /** RFC 3339, UTC, microseconds. */
  at: z.string().max(32),
  program: Program.optional(),
};

export const EgressDraft = z.strictObject({
  ...Common,
  kind: z.literal('egress'),
  /** Joins the live “open” notice with this record. Unique within the session. */
  id: z.string().max(32),
  verdict: Verdict,
  code: z.enum(CODE_LIST).optional(),
  /** The rule that decided, in words: `preset claude-code`, `--allow example.com`, `default deny`. */
  rule: z.string().max(MAX_MESSAGE_CHARS).optional(),
  scheme: z.enum(['http', 'https', 'tcp', 'tls', 'udp']),
  method: z.string().max(32).optional(),
  host: z.string().max(MAX_HOST_CHARS),
  port: z.int().min(0).max(65_535),
  /** Path with the query; placeholders stay, known secrets are replaced. */
  path: z.string().max(MAX_URL_PATH_CHARS).optional(),
  protocol: z.enum(['h1', 'h2', 'ws', 'tls', 'tcp', 'udp']),
  inspected: z.boolean(),
  /** The address that was judged and dialled. */
  address: z.string().max(64).optional(),
  status: z.int().min(100).max(999).optional(),
  /** Body bytes from the sandbox. */
  bytesOut: Count,
  /** Body bytes to the sandbox. */
  bytesIn: Count,
  durationMs: z.number().min(0),
  /** Name of the credential that was injected. */
  credential: z.string().max(MAX_NAME_CHARS).optional(),
  /** Occurrences of secrets replaced in the answer. */
  scrubbed: Count.optional(),
  firstSeen: z.boolean().optional(),
  /** The approval that it waited for, or that it rests on. */
  asked: QuestionId.optional(),
  /** More about a refusal, in words. */
  detail: z.string().max(MAX_MESSAGE_CHARS).optional(),
});
export type EgressDraft = z.infer<typeof EgressDraft>;

export const DnsDraft = z.strictObject({
  ...Common,
  kind: z.literal('dns'),
  verdict: Verdict,
  code: z.enum(CODE_LIST).optional(),
  rule: z.string().max(MAX_MESSAGE_CHARS).optional(),
  name: z.string().max(MAX_HOST_CHARS * 4),
  type: z.string().max(16),
  /** How often the same question came since the last record. */
  count: Count.optional(),
});
export type DnsDraft = z.infer<typeof DnsDraft>;

export const TouchOp = z.enum(['open', 'read', 'write', 'create', 'rename', 'delete', 'exec']);
export type TouchOp = z.infer<typeof TouchOp>;

export const TouchDraft = z.strictObject({
  ...Common,
  kind: z.literal('touch'),
  op: TouchOp,
  /** Absolute path as the sandbox sees it. */
  path: z.string().max(MAX_PATH_CHARS),
  /** New path of a rename. */
  to: z.string().max(MAX_PATH_CHARS).optional(),
  verdict: Verdict,
  code: z.enum(CODE_LIST).optional(),
  rule: z.string().max(MAX_MESSAGE_CHARS).optional(),
  /** How many equal touches by the same process this record stands for; absent means one. */
  count: Count.optional(),
});
export type TouchDraft = z.infer<typeof TouchDraft>;

export const CredentialDraft = z.strictObject({
  ...Common,
  kind: z.literal('credential'),
  /** `granted` at the start, `used` at its first use per host, `tripped` when a placeholder turned up elsewhere. */
  op: z.enum(['granted', 'used', 'tripped']),
  credential: z.string().max(MAX_NAME_CHARS),
  host: z
    .string()
    .max(MAX_HOST_CHARS + 8)
    .optional(),
  code: z.enum(CODE_LIST).optional(),
});
export type CredentialDraft = z.infer<typeof CredentialDraft>;

/** The user's answer to one question, or that none came. */
export const ApprovalDraft = z.strictObject({
  ...Common,
  kind: z.literal('approval'),
  id: QuestionId,
  /** The question in words. */
  question: z.string().max(MAX_MESSAGE_CHARS),
  ...ApprovalFacts,
  answer: ApprovalAnswer,
  /** How far a person's answer goes; absent where nobody gave one. */
  scope: ApprovalScope.optional(),
  /** How long the question stood. */
  durationMs: z.number().min(0),
});
export type ApprovalDraft = z.infer<typeof ApprovalDraft>;

export const ProcessDraft = z.strictObject({
  ...Common,
  kind: z.literal('process'),
  op: z.enum(['start', 'exit']),
  command: Argv,
  exitCode: z.int().optional(),
  durationMs: z.number().min(0).optional(),
});
export type ProcessDraft = z.infer<typeof ProcessDraft>;

export const SessionDraft = z.strictObject({
  ...Common,
  kind: z.literal('session'),
  op: z.enum([
    'started',
    'ready',
    'stopped',
    'failed',
    'accepted',
    'discarded',
    'broker-lost',
    'broker-back',
    'guard-lost',
  ]),
  message: z.string().max(MAX_MESSAGE_CHARS).optional(),
  code: z.enum(CODE_LIST).optional(),
});
export type SessionDraft = z.infer<typeof SessionDraft>;

export const PolicyDraft = z.strictObject({
  ...Common,
  kind: z.literal('policy'),
  op: z.enum(['applied']),
  /** The rules in force, in words, one a line. */
  rules: z.array(z.string().max(MAX_MESSAGE_CHARS)).max(512),
});
export type PolicyDraft = z.infer<typeof PolicyDraft>;

/** Events were lost: where and how many (0 = unknown number). Silence is never used instead. */
export const GapDraft = z.strictObject({
  ...Common,
  kind: z.literal('gap'),
  source: z.enum(['guard', 'broker', 'gateway', 'timeline']),
  lost: Count,
  message: z.string().max(MAX_MESSAGE_CHARS).optional(),
});
export type GapDraft = z.infer<typeof GapDraft>;

/** An event before the store has numbered and chained it. */
export const TimelineDraft = z.discriminatedUnion('kind', [
  EgressDraft,
  DnsDraft,
  TouchDraft,
  CredentialDraft,
  ApprovalDraft,
  ProcessDraft,
  SessionDraft,
  PolicyDraft,
  GapDraft,
]);
export type TimelineDraft = z.infer<typeof TimelineDraft>;

/** A recorded event: the draft, its number in the session (from 1), and the session. */
export type TimelineEvent = TimelineDraft & { readonly seq: number; readonly session: string };

const numbered = { seq: z.int().min(1), session: z.string().max(32) };
export const TimelineEvent = z.discriminatedUnion('kind', [
  EgressDraft.extend(numbered),
  DnsDraft.extend(numbered),
  TouchDraft.extend(numbered),
  CredentialDraft.extend(numbered),
  ApprovalDraft.extend(numbered),
  ProcessDraft.extend(numbered),
  SessionDraft.extend(numbered),
  PolicyDraft.extend(numbered),
  GapDraft.extend(numbered),
]);

export const TIMELINE_VIEWS = ['all', 'egress', 'files', 'credentials', 'blocked'] as const;
export const TimelineView = z.enum(TIMELINE_VIEWS);
export type TimelineView = z.infer<typeof TimelineView>;

/** What to show: a view, and words that must all occur (`prog:`, `host:`, `code:` narrow a word). */
export const TimelineFilter = z.strictObject({
  view: TimelineView,
  text: z.string().max(512),
});
export type TimelineFilter = z.infer<typeof TimelineFilter>;

export const TimelineCounts = z.strictObject({
  all: Count,
  egress: Count,
  files: Count,
  credentials: Count,
  blocked: Count,
});
export type TimelineCounts = z.infer<typeof TimelineCounts>;

/** One column of the overview drawing: a span of time and how much happened in it. */
export const TimelineBucket = z.strictObject({
  /** Milliseconds since the epoch where the span begins. */
  from: z.number(),
  egress: Count,
  touches: Count,
  credentials: Count,
  blocked: Count,
});
export type TimelineBucket = z.infer<typeof TimelineBucket>;

export const TimelineCheck = z.strictObject({
  intact: z.boolean(),
  events: Count,
  /** Number of the first event that does not fit the chain. */
  brokenAt: z.int().min(1).optional(),
  message: z.string().max(MAX_MESSAGE_CHARS),
});
export type TimelineCheck = z.infer<typeof TimelineCheck>;
