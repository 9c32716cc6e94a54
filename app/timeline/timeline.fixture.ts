import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import type { SessionId, TimelineCheck, TimelineDraft } from '../contract/index.ts';
import {
  createManualClock,
  createScope,
  isoTime,
  unwrap,
  type ManualClock,
  type Scope,
} from '../kit/index.ts';
import type { TimelineFile, TimelineWriter } from './port.ts';
import { openTimelineReader } from './reader.ts';
import { openTimelineWriter } from './writer.ts';

export const SESSION = '0123456789ab' as SessionId;
export const START = Date.parse('2026-03-01T10:00:00Z');

export let folder: string;
export let file: TimelineFile;
export let clock: ManualClock;
export let scope: Scope;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'timeline-'));
  file = { path: join(folder, 'session', 'timeline.db'), session: SESSION };
  clock = createManualClock(START);
  scope = createScope('test');
});
afterEach(async () => {
  await scope.close();
  rmSync(folder, { recursive: true, force: true });
});

export const open = (): TimelineWriter => unwrap(openTimelineWriter(file, { clock }, scope));

export const egress = (
  change: Partial<Extract<TimelineDraft, { kind: 'egress' }>> = {},
): TimelineDraft => ({
  kind: 'egress',
  at: isoTime(clock.now()),
  id: 'r1',
  verdict: 'allowed',
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  protocol: 'h1',
  inspected: true,
  bytesOut: 1,
  bytesIn: 2,
  durationMs: 1.5,
  ...change,
});
export const touch = (path: string, verdict: 'allowed' | 'denied' = 'allowed'): TimelineDraft => ({
  kind: 'touch',
  at: isoTime(clock.now()),
  op: 'open',
  path,
  verdict,
});
export const many = (count: number): TimelineDraft[] =>
  Array.from({ length: count }, (_, index) => touch(`/p/${index + 1}`));

export const check = (): TimelineCheck => {
  const reader = unwrap(openTimelineReader(file));
  try {
    return unwrap(reader.verify());
  } finally {
    reader.close();
  }
};
