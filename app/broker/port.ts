import type {
  ApprovalAnswer,
  ApprovalScope,
  Code,
  EgressDraft,
  Program,
  Question,
  QuestionId,
  SessionId,
  TimelineDraft,
} from '../contract/index.ts';
import type { Failure, Result, Scope, Secret } from '../kit/index.ts';
import type { WatchSet } from './fingerprint.ts';
import type { CredentialGrant, NetworkPolicy } from '../policy/index.ts';

export type BrokerFailure = Failure<Code>;

/** The session's own certificate authority. The key lives in memory only; it is kept so that a restarted broker is still trusted. */
export type SessionAuthority = {
  readonly certificatePem: string;
  readonly privateKeyPem: Secret;
};

/** One credential of this session: what to swap, for what, where. The broker process gets these and nothing else of the vault. */
export type BrokerCredential = {
  readonly grant: CredentialGrant;
  readonly secret: Secret;
};

export type BrokerSpec = {
  readonly session: SessionId;
  /** Host folder in which the broker listens on `link.sock` and `handover.sock`: 0700, or 0710 where the gateway is another user of its group. */
  readonly linkFolder: string;
  readonly network: NetworkPolicy;
  readonly credentials: readonly BrokerCredential[];
  /** Further authorities (PEM) trusted upstream, beside the public ones and the host's own. */
  readonly upstreamAuthorities: readonly string[];
};

/** A connection inside the sandbox, as the kernel tells it; enough to find its program. */
export type Flow = {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 4 | 6;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
};

export type Identify = (flow: Flow) => Promise<Program | undefined>;

/** What became of a question, and how far that goes. */
export type Answer = { readonly answer: ApprovalAnswer; readonly scope: ApprovalScope };

/** Asks a person; the signal says that nobody waits for the answer any more. */
export type Ask = (id: QuestionId, question: Question, signal: AbortSignal) => Promise<Answer>;

export type BrokerListeners = {
  readonly onEvents: (drafts: readonly TimelineDraft[]) => void;
  /** A request began; its record will follow with the same `id`. */
  readonly onOpen: (draft: EgressDraft) => void;
  /** The process died or was restarted: between the two, nothing leaves. */
  readonly onState: (state: 'up' | 'down', message: string) => void;
  /** A server has replaced a stored secret (a refresh token): this one counts from now on. */
  readonly onRotated: (credential: string, secret: Secret) => void;
};

export type Broker = {
  readonly authority: SessionAuthority;
  /** The bundle that sandboxes trust: public authorities, the host's further ones, and the session's own (PEM). */
  readonly trustBundle: string;
  /** Resolves when the gateway has handed its sockets over and linked. */
  readonly linked: (signal: AbortSignal) => Promise<Result<void, BrokerFailure>>;
  /** Watches from now on for values that the session was not granted: in requests, names and answers. */
  readonly watch: (set: WatchSet) => void;
  /** Resolves after the process has flushed its records. Idempotent. */
  readonly close: () => Promise<void>;
};

/** Starts the session's broker process and waits until it listens. Restarts it when it dies, with the same authority. */
export type StartBroker = (
  spec: BrokerSpec,
  deps: BrokerListeners & {
    readonly identify: Identify;
    /** Absent: nobody is there to ask. */
    readonly ask?: Ask;
  },
  scope: Scope,
  signal: AbortSignal,
) => Promise<Result<Broker, BrokerFailure>>;
