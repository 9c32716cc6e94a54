import { MAX_MESSAGE_CHARS, MAX_PATH_CHARS, type TouchOp } from '../contract/index.ts';
import type { Frame } from './frames.ts';
import { textOf } from './text.ts';

/** What the guard says, parsed. Numbers are whole and not negative. */
export type GuardMessage =
  | { readonly type: 'ready'; readonly version: string; readonly seesEntries: boolean }
  | {
      readonly type: 'program';
      readonly slot: number;
      readonly pid: number;
      readonly parent: number;
      readonly command: readonly string[];
    }
  | {
      readonly type: 'touch';
      readonly op: TouchOp;
      readonly slot: number;
      readonly pid: number;
      readonly count: number;
      /** Milliseconds since the epoch, with a fraction. */
      readonly time: number;
      readonly path: string;
      readonly to: string | undefined;
    }
  | { readonly type: 'gap'; readonly lost: number; readonly message: string }
  | { readonly type: 'answer'; readonly id: number; readonly slot: number }
  | { readonly type: 'failed'; readonly message: string };

/** Program slots the guard has; guard.h has the same number. */
export const MAX_PROGRAM_SLOTS = 1024;

const OPS: Readonly<Record<string, TouchOp>> = {
  o: 'open',
  r: 'read',
  w: 'write',
  c: 'create',
  m: 'rename',
  d: 'delete',
  x: 'exec',
};

const numberOf = (
  field: Buffer | undefined,
  most = Number.MAX_SAFE_INTEGER,
): number | undefined => {
  if (field === undefined || field.length === 0 || field.length > 20) return undefined;
  const text = field.toString('latin1');
  if (!/^[0-9]+$/.test(text)) return undefined;
  const value = Number(text);
  return value <= most ? value : undefined;
};

/** Reads one frame of the guard; undefined where it is none of the shapes in guard.h. */
export const messageOf = ({ kind, fields }: Frame): GuardMessage | undefined => {
  switch (kind) {
    case 'R': {
      const [version, entries] = fields;
      const seen = numberOf(entries, 1);
      if (version === undefined || seen === undefined || fields.length !== 2) return undefined;
      return { type: 'ready', version: textOf(version).slice(0, 32), seesEntries: seen === 1 };
    }
    case 'P': {
      const slot = numberOf(fields[0], MAX_PROGRAM_SLOTS);
      const pid = numberOf(fields[1]);
      const parent = numberOf(fields[2], MAX_PROGRAM_SLOTS);
      if (slot === undefined || slot === 0 || pid === undefined || parent === undefined)
        return undefined;
      return { type: 'program', slot, pid, parent, command: fields.slice(3).map(textOf) };
    }
    case 'T':
      return touchOf(fields);
    case 'G': {
      const lost = numberOf(fields[0]);
      const message = fields[1];
      if (lost === undefined || message === undefined || fields.length !== 2) return undefined;
      return { type: 'gap', lost, message: textOf(message).slice(0, MAX_MESSAGE_CHARS) };
    }
    case 'A': {
      const id = numberOf(fields[0]);
      const slot = numberOf(fields[1], MAX_PROGRAM_SLOTS);
      if (id === undefined || slot === undefined || fields.length !== 2) return undefined;
      return { type: 'answer', id, slot };
    }
    case 'E': {
      const message = fields[0];
      if (message === undefined || fields.length !== 1) return undefined;
      return { type: 'failed', message: textOf(message).slice(0, MAX_MESSAGE_CHARS) };
    }
    default:
      return undefined;
  }
};

const touchOf = (fields: readonly Buffer[]): GuardMessage | undefined => {
  const op = OPS[fields[0]?.toString('latin1') ?? ''];
  const slot = numberOf(fields[1], MAX_PROGRAM_SLOTS);
  const pid = numberOf(fields[2]);
  const count = numberOf(fields[3]);
  const micros = numberOf(fields[4]);
  const path = fields[5];
  const to = fields[6];
  if (op === undefined || slot === undefined || pid === undefined || count === undefined)
    return undefined;
  if (count === 0 || micros === undefined || micros > 8.64e18 || fields.length !== 7)
    return undefined;
  if (path === undefined || path.length === 0 || to === undefined) return undefined;
  return {
    type: 'touch',
    op,
    slot,
    pid,
    count,
    time: micros / 1000,
    path: textOf(path).slice(0, MAX_PATH_CHARS),
    to: to.length === 0 ? undefined : textOf(to).slice(0, MAX_PATH_CHARS),
  };
};
