// Both are CommonJS bundles: under Node only their default import exists, whatever their typings say.
// oxlint-disable import/default, import/no-named-as-default-member
import serializeAddon from '@xterm/addon-serialize';
import headless from '@xterm/headless';
import type { TerminalSize } from '../contract/index.ts';
import { createSequenceTail } from './sequence-tail.ts';

/** Lines above the screen that are kept. */
export const SCROLLBACK_LINES = 5000;
/** Most bytes of one snapshot: what one message of the contract can carry. */
export const MAX_SNAPSHOT_BYTES = 8 * 1024 * 1024;
/** Most cells that one snapshot looks at, so that a very wide terminal does not hold everything up. */
const MAX_SNAPSHOT_CELLS = 600_000;

export type ScreenSnapshot = { readonly size: TerminalSize; readonly bytes: Uint8Array };

/** The owner of a terminal's state: an emulator without a window. Bytes are worked through in order, later. */
export type Screen = {
  readonly write: (bytes: Uint8Array, onParsed: () => void) => void;
  /** Takes its place between the bytes before and after it. */
  readonly resize: (size: TerminalSize) => void;
  /** Calls back with the state after exactly the bytes written so far. Never calls back once closed. */
  readonly snapshot: (onSnapshot: (snapshot: ScreenSnapshot) => void) => void;
  /** Answers to the program's questions (cursor position, device attributes). */
  readonly onAnswer: (listener: (bytes: Uint8Array) => void) => void;
  readonly close: () => void;
};

const textBytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');

export const createScreen = (size: TerminalSize): Screen => {
  const emulator = new headless.Terminal({
    cols: size.columns,
    rows: size.rows,
    scrollback: SCROLLBACK_LINES,
    allowProposedApi: true,
  });
  const serializer = new serializeAddon.SerializeAddon();
  emulator.loadAddon(serializer);
  let closed = false;

  /** As much scrollback as fits the cap, newest lines first. */
  const serialize = (room: number): Uint8Array => {
    let scrollback = Math.min(
      SCROLLBACK_LINES,
      Math.max(0, Math.floor(MAX_SNAPSHOT_CELLS / emulator.cols) - emulator.rows),
    );
    for (;;) {
      const bytes = textBytes(serializer.serialize({ scrollback }));
      if (bytes.byteLength <= room || scrollback === 0) return bytes.subarray(0, room);
      scrollback = Math.floor(scrollback / 2);
    }
  };

  const tail = createSequenceTail();
  return {
    write: (bytes, onParsed) => {
      emulator.write(bytes, () => {
        // Fed here and not on arrival, so that tail and emulator always stand at the same byte.
        tail.feed(bytes);
        onParsed();
      });
    },
    resize: (next) => {
      emulator.write('', () => {
        if (!closed) emulator.resize(next.columns, next.rows);
      });
    },
    snapshot: (onSnapshot) => {
      emulator.write('', () => {
        if (closed) return;
        const unfinished = tail.bytes();
        const shown = serialize(MAX_SNAPSHOT_BYTES - unfinished.byteLength);
        onSnapshot({
          size: { columns: emulator.cols, rows: emulator.rows },
          bytes: Buffer.concat([shown, unfinished]),
        });
      });
    },
    onAnswer: (listener) => {
      emulator.onData((text) => {
        listener(textBytes(text));
      });
    },
    close: () => {
      if (closed) return;
      closed = true;
      emulator.dispose();
    },
  };
};
