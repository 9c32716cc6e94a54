import { z } from 'zod';
import {
  MAX_ARGUMENTS,
  MAX_ARGUMENT_CHARS,
  MAX_MESSAGE_CHARS,
  MAX_NAME_CHARS,
  MAX_OPEN_QUESTIONS,
} from './bounds.ts';
import { OpenQuestion } from './approval.ts';
import { CODE_LIST } from './codes.ts';
import { SessionId, TerminalId } from './ids.ts';
import { WorkspaceMode } from './project.ts';
import {
  GitRuleText,
  HostPath,
  HostRuleText,
  MethodText,
  Name,
  PathPatternText,
  ProjectPath,
  ResolveText,
  SiteText,
} from './text.ts';

export const ASSISTANTS = ['claude-code', 'codex', 'gemini-cli', 'opencode', 'shell'] as const;
export const AssistantName = z.enum(ASSISTANTS);
export type AssistantName = z.infer<typeof AssistantName>;

export const AssistantInfo = z.strictObject({
  name: AssistantName,
  title: z.string().max(MAX_NAME_CHARS),
  version: z.string().max(MAX_NAME_CHARS).optional(),
  /** `ready`: its image is there; `builds-once`: the first start builds it; `unknown`: no engine to ask. */
  image: z.enum(['ready', 'builds-once', 'unknown']),
  /** Kinds of credential it can use, best first. */
  kinds: z.array(z.string().max(MAX_NAME_CHARS)).max(8),
  /** Hosts its own services live on: allowed while it runs. */
  hosts: z.array(HostRuleText).max(64),
});
export type AssistantInfo = z.infer<typeof AssistantInfo>;

/** What narrows a grant beside its hosts; what is absent is not narrowed. */
const GrantNarrowing = {
  methods: z.array(MethodText).min(1).max(32).optional(),
  paths: z.array(PathPatternText).min(1).max(32).optional(),
  /** Of the places that the credential's kind has, those it may be put into. */
  sites: z.array(SiteText).min(1).max(8).optional(),
};

/** Permission to use one credential in this session; no hosts means the credential's own. */
export const GrantRequest = z.strictObject({
  credential: Name,
  hosts: z.array(HostRuleText).max(32).optional(),
  ...GrantNarrowing,
});
export type GrantRequest = z.infer<typeof GrantRequest>;

/** What becomes of a destination that no rule names. */
export const NetworkDefault = z.enum(['deny', 'ask', 'allow']);
export type NetworkDefault = z.infer<typeof NetworkDefault>;

export const PRESETS = ['assistant', 'registries'] as const;
export const Preset = z.enum(PRESETS);
export type Preset = z.infer<typeof Preset>;

export const NetworkRequest = z.strictObject({
  default: NetworkDefault,
  presets: z.array(Preset).max(8),
  allow: z.array(HostRuleText).max(512),
  deny: z.array(HostRuleText).max(512),
  /** Hosts whose TLS is passed on unopened. */
  passThrough: z.array(HostRuleText).max(512).optional(),
  /** `allow push github.com/owner/repo branch main`, one rule each. */
  git: z.array(GitRuleText).max(512).optional(),
  resolve: z.array(ResolveText).max(64),
  /** `ADDRESS[:PORT]` of the resolver the broker asks; absent means the system's. */
  dns: z.string().max(128).optional(),
  /** File with further authorities that the broker trusts upstream. */
  upstreamCa: HostPath.optional(),
});
export type NetworkRequest = z.infer<typeof NetworkRequest>;

export const Limits = z.strictObject({
  memoryBytes: z
    .int()
    .min(64 * 1024 * 1024)
    .optional(),
  cpus: z.number().min(0.1).max(1024).optional(),
  pids: z.int().min(16).max(65_536).optional(),
  /** Time after which the session stops by itself. */
  ttlMs: z.int().min(1000).optional(),
});
export type Limits = z.infer<typeof Limits>;

export const TerminalSize = z.strictObject({
  columns: z.int().min(2).max(1000),
  rows: z.int().min(1).max(1000),
});
export type TerminalSize = z.infer<typeof TerminalSize>;

export const StartRequest = z.strictObject({
  project: HostPath,
  assistant: AssistantName,
  workspace: WorkspaceMode,
  grants: z.array(GrantRequest).max(64),
  network: NetworkRequest,
  limits: Limits,
  hide: z.strictObject({
    /** Paths to hide beside what the rules hit. */
    add: z.array(ProjectPath).max(1000),
    /** Paths that the rules hit and the user wants visible. */
    show: z.array(ProjectPath).max(1000),
  }),
  /** Replaces the assistant's own command. */
  command: z.array(z.string().max(MAX_ARGUMENT_CHARS)).max(MAX_ARGUMENTS).optional(),
  size: TerminalSize.optional(),
  title: z
    .string()
    .max(MAX_NAME_CHARS * 2)
    .optional(),
});
export type StartRequest = z.infer<typeof StartRequest>;

export const SESSION_STATES = [
  'starting',
  'running',
  'stopping',
  'review',
  'closed',
  'failed',
] as const;
/** `review`: ended with changes kept; `closed`: ended, nothing left to decide. */
export const SessionState = z.enum(SESSION_STATES);
export type SessionState = z.infer<typeof SessionState>;

export const START_STEPS = [
  'engine',
  'images',
  'workspace',
  'broker',
  'gateway',
  'sandbox',
  'guard',
  'assistant',
] as const;
export const StartStep = z.enum(START_STEPS);
export type StartStep = z.infer<typeof StartStep>;

/** Long work, made visible. */
export const Progress = z.strictObject({
  step: StartStep,
  /** What is being done, in words: `building the Claude Code image: installing packages`. */
  message: z.string().max(MAX_MESSAGE_CHARS),
  /** 0 to 1 where the end is known. */
  fraction: z.number().min(0).max(1).optional(),
});
export type Progress = z.infer<typeof Progress>;

export const GrantSummary = z.strictObject({
  credential: Name,
  kind: z.string().max(MAX_NAME_CHARS),
  hosts: z.array(HostRuleText).max(32),
  ...GrantNarrowing,
});
export type GrantSummary = z.infer<typeof GrantSummary>;

export const TerminalSummary = z.strictObject({
  id: TerminalId,
  title: z.string().max(MAX_NAME_CHARS * 2),
  /** Set once its program has ended. */
  exitCode: z.int().optional(),
});
export type TerminalSummary = z.infer<typeof TerminalSummary>;

export const Problem = z.strictObject({
  code: z.enum(CODE_LIST),
  message: z.string().max(MAX_MESSAGE_CHARS),
  hint: z.string().max(MAX_MESSAGE_CHARS).optional(),
});
export type Problem = z.infer<typeof Problem>;

export const SessionSummary = z.strictObject({
  id: SessionId,
  state: SessionState,
  project: HostPath,
  projectName: z.string().max(MAX_NAME_CHARS * 4),
  title: z.string().max(MAX_NAME_CHARS * 2),
  assistant: AssistantName,
  workspace: WorkspaceMode,
  network: NetworkDefault,
  /** Whether a git rule asks before a fetch or a push; absent where none does. */
  gitAsks: z.boolean().optional(),
  grants: z.array(GrantSummary).max(64),
  terminals: z.array(TerminalSummary).max(32),
  /** RFC 3339. */
  startedAt: z.string().max(32),
  endedAt: z.string().max(32).optional(),
  /** RFC 3339; when it stops by itself. */
  endsAt: z.string().max(32).optional(),
  exitCode: z.int().optional(),
  progress: Progress.optional(),
  problem: Problem.optional(),
  /** Things that are weaker than usual just now: `the broker is restarting: nothing leaves`. */
  alerts: z.array(Problem).max(16),
  /** What waits for the user’s answer. */
  questions: z.array(OpenQuestion).max(MAX_OPEN_QUESTIONS).optional(),
  /** Files changed so far; exact after the end. */
  changed: z.int().min(0).optional(),
  /** False where another process runs it (a `glovebox run` in some terminal). */
  owned: z.boolean(),
});
export type SessionSummary = z.infer<typeof SessionSummary>;
