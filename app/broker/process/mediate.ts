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
      readonly read: (soFar: Buffer, last: boolean) => Promise<Result<'more' | 'go', Refusal>>;
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
};

/** Knows one scheme (a signature, a token exchange, git's push) and takes the requests that are its own. */
export type Mediator = (request: JudgedRequest) => Result<Mediation, Refusal> | undefined;
