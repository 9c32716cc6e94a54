import type { FileChange } from '../contract/index.ts';

/** One thing accept does to the host project, in the order it is done. Modes are without set-id bits. */
export type Act =
  | {
      readonly type: 'write';
      readonly path: string;
      readonly mode: number;
      readonly bytes: number;
      readonly replaces: boolean;
    }
  | {
      readonly type: 'link';
      readonly path: string;
      readonly target: string;
      readonly replaces: boolean;
    }
  | {
      readonly type: 'folder';
      readonly path: string;
      readonly mode: number;
      readonly replaces: boolean;
    }
  | { readonly type: 'mode'; readonly path: string; readonly mode: number }
  | { readonly type: 'delete'; readonly path: string; readonly directory: boolean };

/** What review shows and what accept would do. */
export type Comparison = {
  readonly changes: readonly FileChange[];
  readonly acts: readonly Act[];
  /** Rows that accept carries out (a new folder that holds something has none of its own). */
  readonly planned: number;
  /** Rows are cut at the contract's cap; acts never are. */
  readonly cut: boolean;
  /** Paths in which host and session both changed something; accept refuses as long as there is one. */
  readonly conflicts: readonly string[];
};
