import type { Program, QuestionId } from '../../contract/index.ts';
import type { Result } from '../../kit/index.ts';
import type { CredentialGrant } from '../../policy/index.ts';
import type { Destination, HeaderPairs } from './request.ts';
import type { Refusal } from './refuse.ts';

/** One judged request, of whatever HTTP version, before anything is put into it. */
export type JudgedRequest = {
  readonly to: Destination;
  readonly method: string;
  /** Path and query, as they would go upstream. */
  readonly target: string;
  /** Without pseudo-headers; names as sent (HTTP/2: lower case). */
  readonly headers: HeaderPairs;
  /** Announced length of the body in bytes, 0 for none, undefined where only its end will tell. */
  readonly bodyBytes: number | undefined;
};

/** Who waits for a person's answer: for as long as the signal is not aborted. */
export type Waiting = {
  readonly program: Promise<Program | undefined>;
  /** Aborted when the program inside is gone. */
  readonly signal: AbortSignal;
  /** Told which question it waits for, or rests on. */
  readonly onAsked: (id: QuestionId) => void;
};

/** Gets leave for a request before anything of it is sent, and before anything is dialled. */
export type Leave = (waiting: Waiting) => Promise<Result<void, Refusal>>;

/** What goes upstream in place of a held request. */
export type Released = {
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly body: Buffer;
  /** The credentials that the held body made room for, beside those of the head. */
  readonly used?: readonly CredentialGrant[];
};

/** How a request's body goes up. What leaves is searched for placeholders and watched values in every case. */
export type BodyGate =
  | { readonly type: 'stream' }
  /** Nothing is sent, and nothing dialled, until all of it is there; longer bodies are refused as `egress.too-large`. */
  | {
      readonly type: 'hold';
      readonly maxBytes: number;
      readonly release: (body: Buffer) => Promise<Result<Released, Refusal>>;
    }
  /** Nothing is sent until `read` has decided on its beginning; then all goes on, streamed, unchanged. */
  | {
      readonly type: 'peek';
      readonly maxBytes: number;
      readonly read: (
        soFar: Buffer,
        last: boolean,
        waiting: Waiting,
      ) => Promise<Result<'more' | 'go', Refusal>>;
    };

export type HeldAnswer = {
  readonly status: number;
  readonly headers: HeaderPairs;
  /** Decoded: no content coding is left. */
  readonly body: Buffer;
};

/** How an answer's body comes back. What arrives is scrubbed in every case. */
export type AnswerGate =
  | { readonly type: 'stream' }
  | {
      readonly type: 'hold';
      readonly maxBytes: number;
      readonly release: (answer: HeldAnswer) => Promise<Result<HeldAnswer, Refusal>>;
    };

/** What becomes of a request: its head with real values in place, and what its bodies pass through. */
export type Mediation = {
  readonly target: string;
  readonly headers: HeaderPairs;
  readonly used: readonly CredentialGrant[];
  /** The header section is signed as it stands, but for hop-by-hop fields and framing: none may go or change. */
  readonly sealed?: boolean;
  readonly body: BodyGate;
  readonly answer: AnswerGate;
  /** Has to be had first; absent where a rule has given it. */
  readonly leave?: Leave;
};

/** Knows one scheme (a signature, a token exchange, git's push) and takes the requests that are its own. */
export type Mediator = (request: JudgedRequest) => Result<Mediation, Refusal> | undefined;
