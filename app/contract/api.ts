import { z } from 'zod';
import { MAX_MESSAGE_CHARS, MAX_NAME_CHARS, MAX_SECRET_CHARS } from './bounds.ts';
import { QuestionId, Reply } from './approval.ts';
import { CredentialInput, CredentialSummary } from './credential.ts';
import { Guarantee, HostStatus, VaultStatus } from './host.ts';
import { SessionId, TerminalId } from './ids.ts';
import { AcceptReport, ChangeSet, FolderListing, ProjectInspection } from './project.ts';
import { AssistantInfo, SessionSummary, StartRequest, TerminalSize } from './session.ts';
import { HostPath, Name } from './text.ts';
import {
  EgressDraft,
  TimelineBucket,
  TimelineCheck,
  TimelineCounts,
  TimelineEvent,
  TimelineFilter,
} from './timeline.ts';

const Nothing = z.strictObject({});
const OfSession = z.strictObject({ session: SessionId });

/** Most events one page may carry. */
export const MAX_PAGE_EVENTS = 500;
/** Most characters (base64) of terminal input in one message. */
export const MAX_INPUT_CHARS = 1_400_000;
/** Most characters (base64) of terminal output in one message. */
export const MAX_OUTPUT_CHARS = 1_400_000;

/**
 * Every question a shell may ask. `query` changes nothing; `command` does and is worth a line in the log.
 * Who may call: the trusted window (Electron) or the browser tab that holds the cookie (serve).
 */
export const METHODS = {
  'host.status': { type: 'query', input: Nothing, output: HostStatus },
  'host.guarantees': { type: 'query', input: Nothing, output: z.array(Guarantee).max(32) },
  'assistant.list': { type: 'query', input: Nothing, output: z.array(AssistantInfo).max(32) },
  'folder.list': {
    type: 'query',
    input: z.strictObject({ path: HostPath.optional() }),
    output: FolderListing,
  },
  'project.recent': { type: 'query', input: Nothing, output: z.array(HostPath).max(32) },
  'project.inspect': {
    type: 'query',
    input: z.strictObject({ path: HostPath }),
    output: ProjectInspection,
  },
  'credential.list': {
    type: 'query',
    input: Nothing,
    output: z.array(CredentialSummary).max(1000),
  },
  'credential.add': { type: 'command', input: CredentialInput, output: CredentialSummary },
  'credential.rotate': {
    type: 'command',
    input: z.strictObject({ name: Name, secret: z.string().min(1).max(MAX_SECRET_CHARS) }),
    output: CredentialSummary,
  },
  'credential.remove': { type: 'command', input: z.strictObject({ name: Name }), output: Nothing },
  /** Opens or creates the passphrase-sealed store where no keychain answers; without a passphrase, tries a locked keychain again. */
  'vault.unlock': {
    type: 'command',
    input: z.strictObject({
      passphrase: z
        .string()
        .min(1)
        .max(MAX_NAME_CHARS * 8)
        .optional(),
    }),
    output: VaultStatus,
  },
  'session.list': { type: 'query', input: Nothing, output: z.array(SessionSummary).max(10_000) },
  /** Answers as soon as the session has an id; the rest is told by the `sessions` stream. */
  'session.start': { type: 'command', input: StartRequest, output: SessionSummary },
  'session.stop': { type: 'command', input: OfSession, output: SessionSummary },
  /** Answers one open question of a running session; the open ones stand in its summary. */
  'session.answer': {
    type: 'command',
    input: z.strictObject({ session: SessionId, question: QuestionId, reply: Reply }),
    output: Nothing,
  },
  'session.changes': { type: 'query', input: OfSession, output: ChangeSet },
  'session.accept': { type: 'command', input: OfSession, output: AcceptReport },
  'session.discard': { type: 'command', input: OfSession, output: Nothing },
  /** Removes an ended session's record and timeline; refused while changes wait for review. */
  'session.forget': { type: 'command', input: OfSession, output: Nothing },
  'terminal.open': {
    type: 'command',
    input: z.strictObject({ session: SessionId, size: TerminalSize }),
    output: z.strictObject({ terminal: TerminalId }),
  },
  'terminal.input': {
    type: 'command',
    input: z.strictObject({
      session: SessionId,
      terminal: TerminalId,
      base64: z.string().max(MAX_INPUT_CHARS),
    }),
    output: Nothing,
  },
  'terminal.resize': {
    type: 'command',
    input: z.strictObject({ session: SessionId, terminal: TerminalId, size: TerminalSize }),
    output: Nothing,
  },
  /** Bytes the widget has drawn, so that the host may send more. */
  'terminal.ack': {
    type: 'command',
    input: z.strictObject({ session: SessionId, terminal: TerminalId, bytes: z.int().min(0) }),
    output: Nothing,
  },
  'timeline.page': {
    type: 'query',
    input: z.strictObject({
      session: SessionId,
      filter: TimelineFilter,
      /** Only events with a smaller number; absent means from the newest. */
      before: z.int().min(1).optional(),
      limit: z.int().min(1).max(MAX_PAGE_EVENTS),
    }),
    /** Newest first. */
    output: z.strictObject({
      events: z.array(TimelineEvent).max(MAX_PAGE_EVENTS),
      counts: TimelineCounts,
      more: z.boolean(),
    }),
  },
  'timeline.overview': {
    type: 'query',
    input: z.strictObject({ session: SessionId, columns: z.int().min(1).max(2000) }),
    output: z.array(TimelineBucket).max(2000),
  },
  'timeline.verify': { type: 'query', input: OfSession, output: TimelineCheck },
} as const;

/** Streams: a snapshot first, then what changes. `seq` counts messages per subscription; a hole means ask again. */
export const STREAMS = {
  /** The whole status, whenever it changes. */
  host: { input: Nothing, item: HostStatus },
  /** All sessions first, then each that changed; `gone` when forgotten. */
  sessions: {
    input: Nothing,
    item: z.discriminatedUnion('type', [
      z.strictObject({ type: z.literal('all'), sessions: z.array(SessionSummary).max(10_000) }),
      z.strictObject({ type: z.literal('changed'), session: SessionSummary }),
      z.strictObject({ type: z.literal('gone'), id: SessionId }),
    ]),
  },
  /**
   * Events as they are recorded, in batches, oldest first, with the counts after them; `open` tells of
   * requests under way that have no record yet (they end in an event with the same `id`).
   */
  timeline: {
    input: OfSession,
    item: z.strictObject({
      events: z.array(TimelineEvent).max(MAX_PAGE_EVENTS),
      counts: TimelineCounts,
      open: z.array(EgressDraft).max(MAX_PAGE_EVENTS),
      /** Events that were left out of this message because the reader was slow; the store has them. */
      skipped: z.int().min(0),
    }),
  },
  /** First the screen as it is (`snapshot`, to be written into an empty terminal), then bytes as they come. */
  terminal: {
    input: z.strictObject({ session: SessionId, terminal: TerminalId }),
    item: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('snapshot'),
        size: TerminalSize,
        base64: z.string().max(8 * MAX_OUTPUT_CHARS),
      }),
      z.strictObject({ type: z.literal('bytes'), base64: z.string().max(MAX_OUTPUT_CHARS) }),
      z.strictObject({
        type: z.literal('exit'),
        exitCode: z.int(),
        message: z.string().max(MAX_MESSAGE_CHARS).optional(),
      }),
    ]),
  },
} as const;

export type MethodName = keyof typeof METHODS;
export type MethodInput<M extends MethodName> = z.input<(typeof METHODS)[M]['input']>;
export type MethodParsed<M extends MethodName> = z.output<(typeof METHODS)[M]['input']>;
export type MethodOutput<M extends MethodName> = z.output<(typeof METHODS)[M]['output']>;
export type StreamName = keyof typeof STREAMS;
export type StreamInput<S extends StreamName> = z.input<(typeof STREAMS)[S]['input']>;
export type StreamParsed<S extends StreamName> = z.output<(typeof STREAMS)[S]['input']>;
export type StreamItem<S extends StreamName> = z.output<(typeof STREAMS)[S]['item']>;
