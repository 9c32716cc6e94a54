import headless from '@xterm/headless'; // oxlint-disable-line import/default
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TerminalId } from '../contract/index.ts';
import { createManualClock, createScope, type ManualClock, type Scope } from '../kit/index.ts';
import type { Terminal, TerminalAttachment } from './port.ts';
import { createTerminal, MAX_INPUT_BYTES } from './terminal.ts';
import { createManualSource, type ManualSource } from './testing/manual-source.ts';
import {
  HIGH_WATER_BYTES,
  LOW_WATER_BYTES,
  MAX_CHUNK_BYTES,
  STALL_MS,
  VIEWER_BUFFER_BYTES,
} from './viewer.ts';

type Watcher = {
  readonly attachment: TerminalAttachment;
  readonly text: () => string;
  readonly bytes: () => number;
  readonly chunks: () => readonly Uint8Array[];
  readonly exitCode: () => number | undefined;
};

let scope: Scope;
let clock: ManualClock;
let source: ManualSource;
let terminal: Terminal;

beforeEach(() => {
  scope = createScope('test');
  clock = createManualClock();
  source = createManualSource();
  terminal = createTerminal(
    { id: TerminalId.parse('abcd1234'), title: 'shell', size: { columns: 80, rows: 24 }, source },
    { clock },
    scope,
  );
});
afterEach(() => scope.close());

const watch = async (): Promise<Watcher> => {
  const chunks: Uint8Array[] = [];
  let exitCode: number | undefined;
  const attachment = await terminal.attach({
    onBytes: (bytes) => chunks.push(bytes),
    onExit: (code) => {
      exitCode = code;
    },
  });
  return {
    attachment,
    text: () => Buffer.concat(chunks).toString('utf8'),
    bytes: () => chunks.reduce((sum, chunk) => sum + chunk.byteLength, 0),
    chunks: () => chunks,
    exitCode: () => exitCode,
  };
};

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));
const until = async (condition: () => boolean): Promise<void> => {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it never came to be');
    await turn();
  }
};

/** What a fresh window shows after the given bytes: every line of buffer and scrollback, and the cursor. */
const shownBy = (
  parts: readonly Uint8Array[],
  size = { columns: 80, rows: 24 },
): Promise<{ lines: string[]; cursor: [number, number]; buffer: string }> =>
  new Promise((resolve) => {
    const emulator = new headless.Terminal({
      cols: size.columns,
      rows: size.rows,
      scrollback: 5000,
      allowProposedApi: true,
    });
    for (const part of parts) emulator.write(part);
    emulator.write('', () => {
      const { active } = emulator.buffer;
      const lines = Array.from(
        { length: active.length },
        (_, row) => active.getLine(row)?.translateToString(true) ?? '',
      );
      resolve({ lines, cursor: [active.cursorX, active.cursorY], buffer: active.type });
      emulator.dispose();
    });
  });

describe('a terminal', () => {
  it('shows a late viewer the screen as it is, colours, alternate screen and cursor included', async () => {
    source.emit('first\r\n\x1b[31mred\x1b[0m \x1b[1mbold\x1b[0m\r\n');
    source.emit('\x1b[?1049h\x1b[5;10Hfull screen \x1b[32mgreen');
    const { attachment } = await watch();
    expect(attachment.snapshot.size).toEqual({ columns: 80, rows: 24 });
    const shown = await shownBy([attachment.snapshot.bytes]);
    expect(shown.buffer).toBe('alternate');
    expect(shown.lines[4]).toBe('         full screen green');
    expect(shown.cursor).toEqual([26, 4]);
    expect(Buffer.from(attachment.snapshot.bytes).toString()).toContain('\x1b[31m');
  });

  it('passes bytes on at once, and a burst in batches', async () => {
    const viewer = await watch();
    await turn();
    source.emit('a');
    expect(viewer.text()).toBe('a');
    source.emit('b');
    source.emit('c');
    expect(viewer.text()).toBe('a');
    clock.advance(8);
    expect(viewer.text()).toBe('abc');
    expect(viewer.chunks()).toHaveLength(2);
  });

  it('loses and repeats nothing when viewers join in the middle of a flood, even mid-sequence', async () => {
    const everything: Uint8Array[] = [];
    const emit = (bytes: Uint8Array): void => {
      everything.push(bytes);
      source.emit(bytes);
    };
    const joined: Promise<Watcher>[] = [];
    const flood = Buffer.from(
      Array.from(
        { length: 3000 },
        (_, line) => `\x1b[3${line % 8}mline ${line} \x1b]0;título ${line}\x07é😀\x1b[0m\r\n`,
      ).join(''),
    );
    // Pieces of 97 bytes cut sequences and characters anywhere.
    for (let at = 0; at < flood.byteLength; at += 97) {
      emit(flood.subarray(at, at + 97));
      if ((at / 97) % 300 === 0) joined.push(watch());
      if ((at / 97) % 50 === 0) await turn();
    }
    const viewers = await Promise.all(joined);
    expect(viewers.length).toBeGreaterThan(3);
    await turn();
    clock.advance(100);
    const expected = await shownBy(everything);
    for (const viewer of viewers) {
      const shown = await shownBy([viewer.attachment.snapshot.bytes, ...viewer.chunks()]);
      expect(shown.lines.slice(-200)).toEqual(expected.lines.slice(-200));
      expect(shown.lines).toEqual(expected.lines);
      expect(shown.cursor).toEqual(expected.cursor);
    }
  });

  it('stops at the high-water mark and goes on when the viewer has caught up', async () => {
    const viewer = await watch();
    await turn();
    for (let i = 0; i < 24; i += 1) source.emit(Buffer.alloc(64 * 1024, 'x'));
    expect(viewer.bytes()).toBe(HIGH_WATER_BYTES);
    expect(source.isPaused()).toBe(false);
    viewer.attachment.ack(HIGH_WATER_BYTES - LOW_WATER_BYTES - 1);
    expect(viewer.bytes()).toBe(HIGH_WATER_BYTES);
    viewer.attachment.ack(1);
    expect(viewer.bytes()).toBe(24 * 64 * 1024);
    expect(Math.max(...viewer.chunks().map((chunk) => chunk.byteLength))).toBeLessThanOrEqual(
      MAX_CHUNK_BYTES,
    );
  });

  it('lets the program wait only when a living viewer’s buffer is full, and a fast one is not held up before', async () => {
    const slow = await watch();
    const fast = await watch();
    await turn();
    let sent = 0;
    while (!source.isPaused() && sent < 64 * 1024 * 1024) {
      source.emit(Buffer.alloc(64 * 1024, '.'));
      sent += 64 * 1024;
      fast.attachment.ack(64 * 1024);
      await turn();
    }
    expect(sent).toBe(HIGH_WATER_BYTES + VIEWER_BUFFER_BYTES);
    expect(fast.bytes()).toBe(sent);
    expect(slow.bytes()).toBe(HIGH_WATER_BYTES);
    slow.attachment.ack(HIGH_WATER_BYTES);
    expect(source.isPaused()).toBe(false);
  });

  it('lets go of a viewer that says nothing any more, and gives it the whole screen when it is back', async () => {
    const sleeper = await watch();
    await turn();
    while (!source.isPaused()) {
      source.emit(Buffer.from(`${'z'.repeat(64 * 1024 - 2)}\r\n`));
      await turn();
    }
    clock.advance(STALL_MS - 1);
    expect(source.isPaused()).toBe(true);
    clock.advance(1);
    expect(source.isPaused()).toBe(false);
    source.emit('\r\nwhile you slept\r\n');
    const before = sleeper.chunks().length;
    sleeper.attachment.ack(HIGH_WATER_BYTES);
    await until(() => sleeper.chunks().length > before);
    source.emit('and after\r\n');
    clock.advance(10);
    const shown = await shownBy(sleeper.chunks());
    expect(shown.lines.filter((line) => line !== '').slice(-2)).toEqual([
      'while you slept',
      'and after',
    ]);
  });

  it('lets the program wait while the emulator itself is behind', async () => {
    for (let i = 0; i < 200 && !source.isPaused(); i += 1)
      source.emit(Buffer.alloc(64 * 1024, 'y'));
    expect(source.isPaused()).toBe(true);
    await until(() => !source.isPaused());
  });

  it('is as small as its smallest viewer', async () => {
    const one = await watch();
    const two = await watch();
    one.attachment.resize({ columns: 120, rows: 50 });
    expect(source.sizes.at(-1)).toEqual({ columns: 120, rows: 50 });
    two.attachment.resize({ columns: 100, rows: 60 });
    expect(source.sizes.at(-1)).toEqual({ columns: 100, rows: 50 });
    const three = await watch();
    expect(three.attachment.snapshot.size).toEqual({ columns: 100, rows: 50 });
    two.attachment.detach();
    expect(source.sizes.at(-1)).toEqual({ columns: 120, rows: 50 });
    one.attachment.detach();
    expect(source.sizes).toHaveLength(3);
  });

  it('answers the program’s questions itself only while nobody watches', async () => {
    source.emit('\x1b[6n');
    await until(() => source.written() !== '');
    expect(source.written()).toBe('\x1b[1;1R');
    await watch();
    source.emit('\x1b[6n');
    await turn();
    await turn();
    expect(source.written()).toBe('\x1b[1;1R');
  });

  it('cuts input at its cap and takes none after the exit', async () => {
    terminal.input(Buffer.alloc(MAX_INPUT_BYTES + 10, 'i'));
    expect(source.written()).toHaveLength(MAX_INPUT_BYTES);
    source.end(0);
    await terminal.exit;
    terminal.input(Buffer.from('more'));
    expect(source.written()).toHaveLength(MAX_INPUT_BYTES);
  });

  it('hands out the last output before the exit, to slow and late viewers too', async () => {
    const slow = await watch();
    await turn();
    const size = HIGH_WATER_BYTES + 500_000;
    source.emit(Buffer.alloc(size, 'o'));
    source.emit('\r\nthe end');
    expect(slow.bytes()).toBeLessThan(size);
    source.end(3);
    await until(() => slow.exitCode() !== undefined);
    expect(slow.exitCode()).toBe(3);
    expect(slow.text().endsWith('the end')).toBe(true);
    const late = await watch();
    await until(() => late.exitCode() !== undefined);
    expect(late.exitCode()).toBe(3);
    expect(Buffer.from(late.attachment.snapshot.bytes).toString()).toContain('the end');
    expect(terminal.summary()).toEqual({ id: 'abcd1234', title: 'shell', exitCode: 3 });
  });

  it('keeps a hostile wall of colours within one message', async () => {
    const viewer = await watch();
    viewer.attachment.resize({ columns: 1000, rows: 100 });
    const line = Array.from(
      { length: 1000 },
      (_, i) => `\x1b[38;2;${i % 256};1;2;48;2;3;${i % 256};4mX`,
    );
    for (let i = 0; i < 400; i += 1) {
      source.emit(line.join(''));
      viewer.attachment.ack(line.length * 64);
      if (i % 20 === 0) await turn();
    }
    const late = await watch();
    expect(late.attachment.snapshot.bytes.byteLength).toBeLessThanOrEqual(8 * 1024 * 1024);
    expect(late.attachment.snapshot.bytes.byteLength).toBeGreaterThan(1_000_000);
  });

  it('still hands everything to a viewer that was attaching when a short program ended', async () => {
    source.emit('all there is\r\n');
    const attaching = watch();
    source.emit('and more\r\n');
    source.end(9);
    await terminal.exit;
    await scope.close();
    const viewer = await attaching;
    expect(viewer.exitCode()).toBe(9);
    const shown = await shownBy([viewer.attachment.snapshot.bytes, ...viewer.chunks()]);
    expect(shown.lines.slice(0, 2)).toEqual(['all there is', 'and more']);
  });

  it('closes with its scope: the source is closed and a pending attach is refused', async () => {
    source.emit(Buffer.alloc(1024 * 1024, 'q'));
    const pending = terminal.attach({ onBytes: () => undefined, onExit: () => undefined });
    const refusal = pending.catch((reason: unknown) => String(reason));
    await scope.close();
    expect(await refusal).toContain('closed while attaching');
    expect(source.isClosed()).toBe(true);
    await expect(
      terminal.attach({ onBytes: () => undefined, onExit: () => undefined }),
    ).rejects.toThrow('closed');
  });
});
