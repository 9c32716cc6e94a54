import { z } from 'zod';
import {
  MAX_FINGERPRINTS,
  MAX_MOVES_CHARS,
  MAX_WATCHED_VALUES,
  WATCH_WINDOW_BYTES,
} from './fingerprint.ts';
import {
  ApprovalAnswer,
  ApprovalScope,
  CODE_LIST,
  CredentialDraft,
  DnsDraft,
  EgressDraft,
  GapDraft,
  MAX_HOST_CHARS,
  MAX_MESSAGE_CHARS,
  MAX_SECRET_CHARS,
  Name,
  Port,
  Program,
  Question,
  QuestionId,
  SessionId,
} from '../contract/index.ts';
import {
  MAX_PATH_PATTERN_CHARS,
  parseGitRule,
  parseHost,
  parsePathPattern,
  type CanonicalHost,
} from '../policy/index.ts';

/** Most records in one message from the broker process. */
export const MAX_BATCH_RECORDS = 256;
/** Most characters of one PEM text handed to the broker process. */
export const MAX_PEM_CHARS = 4 * 1024 * 1024;

const Address = z.string().max(64);
const CanonicalHostText = z
  .string()
  .max(MAX_HOST_CHARS)
  .refine((text) => {
    const host = parseHost(text);
    return host.ok && host.value === text;
  }, 'not a canonical host')
  .transform((text) => text as CanonicalHost);

const HostRule = z
  .strictObject({
    type: z.enum(['exact', 'suffix']),
    host: CanonicalHostText,
    port: Port.optional(),
  })
  .transform(({ type, host, port }) => ({ type, host, port }));
const NamedRule = z.strictObject({
  rule: HostRule,
  words: z.string().max(MAX_MESSAGE_CHARS),
  by: z.enum(['user', 'preset', 'grant']),
});
/** Travels as its words: a rule is read by its own parser on both sides. */
const GitRuleWords = z
  .string()
  .max(MAX_MESSAGE_CHARS)
  .transform((text, context) => {
    const rule = parseGitRule(text);
    if (rule.ok) return rule.value;
    context.addIssue({ code: 'custom', message: 'not a git rule' });
    return z.NEVER;
  });
const Network = z
  .strictObject({
    default: z.enum(['deny', 'ask', 'allow']),
    allow: z.array(NamedRule).max(4096),
    deny: z.array(NamedRule).max(4096),
    passThrough: z.array(NamedRule).max(4096),
    git: z.array(GitRuleWords).max(4096),
    resolve: z
      .array(
        z.strictObject({
          host: z.string().max(MAX_HOST_CHARS),
          port: Port,
          address: Address,
          addressPort: Port,
        }),
      )
      .max(1024),
    dns: z.strictObject({ address: Address, port: Port }).optional(),
  })
  .transform((network) => ({ ...network, dns: network.dns }));
const SiteText = z.string().max(256);
const Site = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('header'), name: z.string().max(128) }),
  z.strictObject({ type: z.literal('authorization') }),
  z.strictObject({ type: z.literal('basic') }),
  z.strictObject({ type: z.literal('query'), name: SiteText.min(1) }),
  z.strictObject({ type: z.literal('path'), prefix: SiteText }),
  z.strictObject({ type: z.literal('json'), pointer: SiteText }),
  z.strictObject({ type: z.literal('form'), name: SiteText.min(1) }),
  z.strictObject({ type: z.literal('aws-sigv4') }),
  z.strictObject({ type: z.literal('oauth-refresh') }),
  z.strictObject({ type: z.literal('google-service-account') }),
  z.strictObject({ type: z.literal('postgres') }),
]);
const Placeholder = z.string().min(16).max(MAX_SECRET_CHARS);
const Variables = z.array(z.string().max(128)).max(32);
const PathPatternText = z
  .string()
  .max(MAX_PATH_PATTERN_CHARS)
  .transform((text, context) => {
    const pattern = parsePathPattern(text);
    if (pattern.ok) return pattern.value;
    context.addIssue({ code: 'custom', message: 'not a path pattern' });
    return z.NEVER;
  });
const Grant = z.strictObject({
  credential: Name,
  kind: z.string().max(128),
  hosts: z.array(HostRule).max(256),
  sites: z.array(Site).max(32),
  scope: z.strictObject({
    methods: z.array(z.string().max(32)).max(64).optional(),
    paths: z.array(PathPatternText).max(64).optional(),
  }),
  placeholder: Placeholder,
  env: Variables,
  parts: z
    .array(z.strictObject({ name: z.string().max(64), placeholder: Placeholder, env: Variables }))
    .min(1)
    .max(8),
  files: z
    .array(
      z.strictObject({
        name: z.string().max(128),
        content: z.string().max(MAX_SECRET_CHARS),
        env: Variables,
      }),
    )
    .max(8),
});

/** What to watch for: hashes alone, never a value. */
const WatchSetMessage = z.strictObject({
  key: z.base64().length(44),
  owners: z
    .array(
      z.strictObject({
        code: z.enum(['watch.hidden-value', 'watch.other-credential']),
        words: z.string().min(1).max(MAX_MESSAGE_CHARS),
      }),
    )
    .max(MAX_WATCHED_VALUES),
  prints: z
    .array(
      z.strictObject({
        owner: z
          .int()
          .min(0)
          .max(MAX_WATCHED_VALUES - 1),
        window: z.int().min(0).max(0xffff_ffff),
        bytes: z.int().min(WATCH_WINDOW_BYTES).max(4096),
        check: z.base64().length(24),
        wraps: z.boolean(),
        name: z.boolean(),
      }),
    )
    .max(MAX_FINGERPRINTS),
  marks: z.string().max(256),
  moves: z.base64().max(MAX_MOVES_CHARS),
});

/** All that the broker process knows. Travels over IPC only: never an argument, never a variable. */
export const ProcessSpec = z.strictObject({
  session: SessionId,
  linkFolder: z.string().min(1).max(4096),
  network: Network,
  credentials: z
    .array(z.strictObject({ grant: Grant, secret: z.string().min(1).max(MAX_SECRET_CHARS) }))
    .max(256),
  watch: WatchSetMessage.optional(),
  /** Every authority trusted upstream, PEM. */
  upstreamAuthorities: z.array(z.string().max(MAX_PEM_CHARS)).max(2048),
  authority: z.strictObject({
    certificatePem: z.string().max(MAX_PEM_CHARS),
    privateKeyPem: z.string().max(MAX_PEM_CHARS),
  }),
});
export type ProcessSpec = z.infer<typeof ProcessSpec>;
/** The same before it is parsed, as the host sends it. */
export type SentSpec = z.input<typeof ProcessSpec>;

const CallId = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Host to broker process. */
export const ToProcess = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('start'), spec: ProcessSpec }),
  z.strictObject({ type: z.literal('program'), id: CallId, program: Program.optional() }),
  /** The answer to what the process asked under this id, and to nothing else. */
  z.strictObject({
    type: z.literal('answer'),
    id: QuestionId,
    answer: ApprovalAnswer,
    scope: ApprovalScope,
  }),
  /** Records up to `batch` have been taken; the next batch may come. */
  z.strictObject({ type: z.literal('taken') }),
  z.strictObject({ type: z.literal('watch'), set: WatchSetMessage }),
  z.strictObject({ type: z.literal('close') }),
]);
export type ToProcess = z.infer<typeof ToProcess>;
export type SentToProcess = z.input<typeof ToProcess>;

const Flow = z.strictObject({
  protocol: z.enum(['tcp', 'udp']),
  family: z.union([z.literal(4), z.literal(6)]),
  localAddress: Address,
  localPort: z.int().min(0).max(65_535),
  remoteAddress: Address,
  remotePort: z.int().min(0).max(65_535),
});

/** The kinds of event that a broker process may write; all others are the host's. */
export const BrokerDraft = z.discriminatedUnion('kind', [
  EgressDraft,
  DnsDraft,
  CredentialDraft,
  GapDraft,
]);
export type BrokerDraft = z.infer<typeof BrokerDraft>;

/** Broker process to host. Hostile until parsed: the process reads what the sandbox sends. */
export const FromProcess = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('ready') }),
  z.strictObject({
    type: z.literal('failed'),
    code: z.enum(CODE_LIST),
    message: z.string().max(MAX_MESSAGE_CHARS),
  }),
  z.strictObject({ type: z.literal('linked') }),
  z.strictObject({
    type: z.literal('events'),
    drafts: z.array(BrokerDraft).max(MAX_BATCH_RECORDS),
  }),
  z.strictObject({ type: z.literal('open'), draft: EgressDraft }),
  z.strictObject({ type: z.literal('identify'), id: CallId, flow: Flow }),
  z.strictObject({ type: z.literal('ask'), id: QuestionId, question: Question }),
  /** Whoever waited for the answer is gone. */
  z.strictObject({ type: z.literal('withdraw'), id: QuestionId }),
  z.strictObject({
    type: z.literal('rotated'),
    credential: Name,
    refreshToken: z.string().min(1).max(MAX_SECRET_CHARS),
  }),
  z.strictObject({ type: z.literal('closed') }),
]);
export type FromProcess = z.infer<typeof FromProcess>;
