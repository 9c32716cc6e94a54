import type { Phase } from './phase.ts';

/** What every contender is given: one upstream, one credential, one authority to trust. */
export type Setting = {
  /** Port of the upstream on 127.0.0.1; its certificate names `localhost` and `UPSTREAM_HOST`. */
  readonly upstreamPort: number;
  /** PEM file of the upstream's authority. */
  readonly upstreamCa: string;
  /** The real credential, known to contender and upstream; the client holds it in the direct case alone. */
  readonly secret: string;
};

/** Named by the sandbox in place of an address; leads to the upstream by a rule of the policy. */
export const UPSTREAM_HOST = 'bench.upstream.example';

/** One way from the client to the upstream. */
export type Contender = {
  readonly name: string;
  /** Who stands between client and upstream, and where the client is. */
  readonly topology: string;
  /** Runs one phase of the load and gives what the client printed. */
  readonly run: (phase: Phase) => Promise<string>;
  /** Process ids whose trees are counted as the contender's memory. */
  readonly roots: () => Promise<readonly number[]>;
};

/** A contender that could not take part: it is named in the result, with what to do about it. */
export type Absent = { readonly name: string; readonly reason: string };
