import type { TerminalId, TerminalSize, TerminalSummary } from '../contract/index.ts';

/** Where a terminal's bytes come from and go to: a container TTY or a host PTY. */
export type TerminalSource = {
  readonly onData: (listener: (bytes: Uint8Array) => void) => void;
  readonly write: (bytes: Uint8Array) => void;
  readonly pause: () => void;
  readonly resume: () => void;
  readonly resize: (size: TerminalSize) => Promise<void>;
  readonly exit: Promise<number>;
  readonly close: () => void;
};

export type TerminalViewer = {
  readonly onBytes: (bytes: Uint8Array) => void;
  readonly onExit: (exitCode: number) => void;
};

/** One attached viewer. Output waits while more than the high-water mark is not yet acknowledged. */
export type TerminalAttachment = {
  /** The screen and scrollback as escape sequences, to be written into an empty terminal of `size`. */
  readonly snapshot: { readonly size: TerminalSize; readonly bytes: Uint8Array };
  readonly ack: (bytes: number) => void;
  readonly resize: (size: TerminalSize) => void;
  readonly detach: () => void;
};

/** A terminal that outlives its viewers: a headless emulator keeps the screen; the size is the smallest viewer's. */
export type Terminal = {
  readonly id: TerminalId;
  readonly summary: () => TerminalSummary;
  readonly input: (bytes: Uint8Array) => void;
  readonly attach: (viewer: TerminalViewer) => Promise<TerminalAttachment>;
  readonly exit: Promise<number>;
  readonly close: () => void;
};
