import { appendFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { FailureError, isoTime, type Clock } from '../kit/index.ts';
import type { Log } from '../session/index.ts';

/** At this size the log is put aside as `glovebox.log.1`, which replaces the one before. */
export const MAX_LOG_BYTES = 4 * 1024 * 1024;
/** Most characters of one text in a line. */
export const MAX_LOG_TEXT_CHARS = 8192;

const plain = (_key: string, value: unknown): unknown => {
  if (typeof value === 'string') return value.slice(0, MAX_LOG_TEXT_CHARS);
  if (value instanceof FailureError) return value.failure;
  if (value instanceof AggregateError) {
    return { name: value.name, message: value.message, errors: value.errors as unknown[] };
  }
  if (value instanceof Error) {
    return { name: value.name, message: value.message, stack: value.stack, cause: value.cause };
  }
  return value;
};

/** One line of JSON; secrets show as `[REDACTED]` by their own `toJSON`. */
export const logLine = (
  at: number,
  level: 'info' | 'warn' | 'error',
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): string => {
  const head = { at: isoTime(at), level, message };
  try {
    return `${JSON.stringify({ ...head, ...details }, plain)}\n`;
  } catch {
    // Circular or otherwise unwritable details: the message alone is better than nothing.
    return `${JSON.stringify(head, plain)}\n`;
  }
};

/** Glovebox's own log: JSON lines in `log/glovebox.log` (0600). A full disk loses lines, never the session. */
export const openLog = (home: string, clock: Clock): Log => {
  const folder = join(home, 'log');
  const path = join(folder, 'glovebox.log');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch {
    // A full disk: the lines are lost then, as those that come later are.
  }
  const size = (): number => {
    try {
      return statSync(path).size;
    } catch {
      return 0;
    }
  };
  let bytes = size();
  return (level, message, details) => {
    try {
      const line = logLine(clock.now(), level, message, details);
      if (bytes + line.length > MAX_LOG_BYTES) {
        // Another process may have put it aside a moment ago.
        if (size() + line.length > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
        bytes = size();
      }
      appendFileSync(path, line, { mode: 0o600 });
      bytes += Buffer.byteLength(line);
    } catch {
      // Nowhere left to tell it.
    }
  };
};
