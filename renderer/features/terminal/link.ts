import type { Problem, SessionId, TerminalId, TerminalSize } from '../../../app/contract/index.ts';
import type { Clock, Scope } from '../../../app/kit/index.ts';
import type { WireClient } from '../../wire/index.ts';

/** Bytes drawn before the host is told at once; fewer are told after `ACK_PAUSE_MS`. */
export const ACK_BYTES = 32 * 1024;
export const ACK_PAUSE_MS = 20;
/** Most bytes of input in one message; a larger paste goes in several, in order. */
export const INPUT_CHUNK_BYTES = 256 * 1024;

/** The widget, as far as the link needs it. */
export type TerminalScreen = {
  /** Calls `done` once the bytes are drawn. */
  readonly write: (bytes: Uint8Array, done: () => void) => void;
  readonly reset: () => void;
  readonly resize: (size: TerminalSize) => void;
};

export type TerminalEvents = {
  /** The screen is as the host has it; from here on it is live. */
  readonly onReady: () => void;
  readonly onExit: (exitCode: number, message: string | undefined) => void;
  readonly onProblem: (problem: Problem) => void;
};

export type TerminalLink = {
  /** Text as typed (UTF-8) or, with `binary`, one byte a character as the widget gives mouse reports. */
  readonly input: (text: string, encoding?: 'utf8' | 'binary') => void;
  readonly resize: (size: TerminalSize) => void;
};

const decode = (base64: string): Uint8Array => {
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i += 1) bytes[i] = binary.charCodeAt(i);
  return bytes;
};

const encode = (bytes: Uint8Array): string => {
  let binary = '';
  for (let i = 0; i < bytes.length; i += 8192) {
    binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(binary);
};

/**
 * Joins one terminal of the host with one widget: the snapshot first, then bytes; what is drawn is
 * acknowledged, so that the host never sends more than the widget can keep up with.
 */
export const createTerminalLink = (
  deps: { readonly client: WireClient; readonly clock: Clock },
  where: { readonly session: SessionId; readonly terminal: TerminalId },
  screen: TerminalScreen,
  events: TerminalEvents,
  scope: Scope,
): TerminalLink => {
  const { client, clock } = deps;
  /** Grows with every fresh start; what an older one still draws is nobody's to acknowledge. */
  let turn = 0;
  let drawn = 0;
  /** While the snapshot is drawn, the widget answers the queries in it; the program got its answers long ago. */
  let replaying = true;
  let cancelAck: (() => void) | undefined;
  let lastSize: TerminalSize | undefined;

  const ack = (): void => {
    cancelAck?.();
    cancelAck = undefined;
    if (drawn === 0) return;
    const bytes = drawn;
    drawn = 0;
    void client.call('terminal.ack', { ...where, bytes });
  };

  const onDrawn = (bytes: number, of: number): void => {
    if (of !== turn) return;
    drawn += bytes;
    if (drawn >= ACK_BYTES) ack();
    else cancelAck ??= clock.after(ACK_PAUSE_MS, ack);
  };

  const restart = (): void => {
    turn += 1;
    drawn = 0;
    replaying = true;
    cancelAck?.();
    cancelAck = undefined;
  };

  scope.defer(
    client.subscribe('terminal', where, {
      onRestart: restart,
      onItem: (item) => {
        if (item.type === 'snapshot') {
          restart();
          const mine = turn;
          screen.reset();
          screen.resize(item.size);
          lastSize = item.size;
          screen.write(decode(item.base64), () => {
            if (mine !== turn) return;
            replaying = false;
            events.onReady();
          });
        } else if (item.type === 'bytes') {
          const bytes = decode(item.base64);
          const mine = turn;
          screen.write(bytes, () => {
            onDrawn(bytes.length, mine);
          });
        } else {
          events.onExit(item.exitCode, item.message);
        }
      },
      onEnd: (problem) => {
        if (problem !== undefined) events.onProblem(problem);
      },
    }),
  );
  scope.defer(() => {
    turn += 1;
    cancelAck?.();
  });

  return {
    input: (text, encoding = 'utf8') => {
      if (replaying) return;
      const bytes =
        encoding === 'utf8'
          ? new TextEncoder().encode(text)
          : Uint8Array.from(text, (character) => character.charCodeAt(0) & 0xff);
      for (let from = 0; from < bytes.length; from += INPUT_CHUNK_BYTES) {
        const base64 = encode(bytes.subarray(from, from + INPUT_CHUNK_BYTES));
        void client.call('terminal.input', { ...where, base64 }).then((answer) => {
          if (!answer.ok && answer.error.code !== 'wire.lost') events.onProblem(answer.error);
        });
      }
    },
    resize: (size) => {
      if (lastSize?.columns === size.columns && lastSize.rows === size.rows) return;
      lastSize = size;
      void client.call('terminal.resize', { ...where, size });
    },
  };
};
