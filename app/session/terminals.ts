import type { Code, TerminalId, TerminalSize, TerminalSummary } from '../contract/index.ts';
import { fail, type Failure, type Result, type Scope } from '../kit/index.ts';
import type { Terminal } from '../terminal/index.ts';
import { LOST_EXIT } from './lost.ts';
import { startTerminal, type Command, type ProgramDeps } from './programs.ts';
import type { Parts } from './start-parts.ts';
import { when } from './together.ts';

/** Most terminals of one session, those that ended among them. */
export const MAX_TERMINALS = 32;

export type TerminalEvents = {
  readonly onChange: (list: TerminalSummary[]) => void;
  /** The first terminal is the assistant's. */
  readonly onFirstExit: (exitCode: number) => void;
  readonly onLost: () => void;
  readonly onLastExit: () => void;
};

/** The terminals of one session: the assistant's and the shells beside it. */
export type Terminals = {
  readonly open: (
    parts: Parts,
    options: { readonly command: Command; readonly title: string; readonly size: TerminalSize },
  ) => Promise<Result<Terminal, Failure<Code>>>;
  readonly get: (id: TerminalId) => Terminal | undefined;
  readonly count: () => number;
};

const isOver = (terminal: Terminal): boolean => terminal.summary().exitCode !== undefined;

export const createTerminals = (
  programs: ProgramDeps,
  scope: Scope,
  on: TerminalEvents,
): Terminals => {
  const terminals = new Map<TerminalId, Terminal>();
  const tell = (): void =>
    on.onChange(Array.from(terminals.values(), (terminal) => terminal.summary()));

  /** Makes room by letting go of the oldest shell that ended; the assistant's terminal stays. */
  const makeRoom = (): boolean => {
    if (terminals.size < MAX_TERMINALS) return true;
    const oldest = Array.from(terminals.values()).slice(1).find(isOver);
    if (oldest === undefined) return false;
    terminals.delete(oldest.id);
    oldest.close();
    return true;
  };

  return {
    open: async (parts, options) => {
      if (!makeRoom()) {
        return fail(
          'session.failed',
          `A session has at most ${MAX_TERMINALS} terminals.`,
          'Close one first.',
        );
      }
      const terminal = await startTerminal(programs, parts, options, scope);
      if (!terminal.ok) return terminal;
      const first = terminals.size === 0;
      terminals.set(terminal.value.id, terminal.value);
      tell();
      when(terminal.value.exit, (exitCode) => {
        if (first) on.onFirstExit(exitCode);
        tell();
        if (exitCode === LOST_EXIT) on.onLost();
        if (Array.from(terminals.values()).every(isOver)) on.onLastExit();
      });
      return terminal;
    },
    get: (id) => terminals.get(id),
    count: () => terminals.size,
  };
};
