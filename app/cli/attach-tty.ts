import type { TerminalSize } from '../contract/index.ts';
import type { Terminal } from '../terminal/index.ts';
import type { Surroundings } from './console.ts';
import { createTerminalFilter } from './terminal-filter.ts';

/** Puts a real terminal back to how a shell expects it: cursor, no mouse, no bracketed paste, no colour. */
const RESTORE =
  '\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1004l\x1b[?1006l\x1b[?2004l\x1b[?2026l\x1b[?1l\x1b[<u\x1b>\x1b[0m';

const ALTERNATE_ON = '\x1b[?1049h';
/** Sent only where it is on: elsewhere it would throw the cursor back to where it was saved last. */
const ALTERNATE_OFF = '\x1b[?1049l';

export const ttySize = (stdout: Pick<NodeJS.WriteStream, 'columns' | 'rows'>): TerminalSize => ({
  columns: Math.min(1000, Math.max(2, stdout.columns || 80)),
  rows: Math.min(1000, Math.max(1, stdout.rows || 24)),
});

/** Joins the user's terminal to a session's until its program ends; the terminal is always given back as it was. */
export const attachTty = async (
  terminal: Terminal,
  around: Pick<Surroundings, 'stdin' | 'stdout'>,
): Promise<void> => {
  const { stdin, stdout } = around;
  const filter = createTerminalFilter();
  const over = Promise.withResolvers<void>();
  let ack: (bytes: number) => void = () => undefined; // oxlint-disable-line consistent-function-scoping
  let alternate = false;
  const show = (bytes: Uint8Array): void => {
    // The filter lets a sequence out in one piece, so none is cut in two here.
    const shown = Buffer.from(filter(bytes));
    const on = shown.lastIndexOf(ALTERNATE_ON);
    const off = shown.lastIndexOf(ALTERNATE_OFF);
    if (on !== off) alternate = on > off;
    stdout.write(shown, () => ack(bytes.byteLength));
  };
  const attachment = await terminal.attach({ onBytes: show, onExit: () => over.resolve() });
  ack = attachment.ack;
  show(attachment.snapshot.bytes);

  const onInput = (bytes: Buffer): void => terminal.input(bytes);
  const onResize = (): void => attachment.resize(ttySize(stdout));
  const restore = (): void => {
    stdin.setRawMode(false);
    stdout.write(alternate ? ALTERNATE_OFF + RESTORE : RESTORE);
  };
  // A crash must not leave the user's shell without echo.
  process.once('exit', restore);
  try {
    stdin.setRawMode(true);
    stdin.on('data', onInput);
    stdin.resume();
    stdout.on('resize', onResize);
    onResize();
    await over.promise;
  } finally {
    process.removeListener('exit', restore);
    stdin.off('data', onInput);
    stdin.pause();
    stdout.off('resize', onResize);
    attachment.detach();
    restore();
  }
};
