import { once } from 'node:events';
import type { Failure } from '../kit/index.ts';
import { exportHar } from '../timeline/index.ts';
import { sayFailure } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { notYet } from './not-yet.ts';
import { withSession } from './session.ts';
import { eachEvent, toLine } from './timeline-export.ts';
import type { Invocation } from './with-host.ts';

/** How often `--follow` looks for new events. */
export const FOLLOW_EVERY_MS = 250;

const LIVE = new Set(['starting', 'running', 'stopping']);

const failed = ({ console }: Invocation, failure: Failure): number => {
  sayFailure(console, failure);
  return exitCodeOf(failure);
};

export type TimelineFlags = { readonly format: string; readonly follow?: boolean };

/** `glovebox timeline ID`: the record as JSON lines (with `--follow` until the session has ended), or its requests as HAR. */
export const printTimeline = (
  invocation: Invocation,
  text: string,
  flags: TimelineFlags,
): Promise<number> =>
  withSession(invocation, text, async (id) => {
    if (flags.format === 'otlp') {
      const later = notYet('otlp');
      if (!later.ok) return failed(invocation, later.error);
    }
    const { host, around } = invocation;
    const writeText = async (piece: string): Promise<void> => {
      if (!around.stdout.write(piece)) await once(around.stdout, 'drain');
    };
    const write = (line: string): Promise<void> => writeText(`${line}\n`);
    if (flags.format === 'har') {
      const reader = host.sessions.timeline(id);
      if (!reader.ok) return failed(invocation, reader.error);
      for (const piece of exportHar(reader.value, host.status().version)) await writeText(piece);
      return EXIT.done;
    }
    let gone = false;
    around.stdout.once('error', () => {
      gone = true; // `head` and the like have seen enough.
    });
    let last = 0;
    for (;;) {
      // Asked before reading: what came between is read by the round after.
      const live = LIVE.has(host.sessions.get(id)?.state ?? 'closed');
      const reader = host.sessions.timeline(id);
      if (!reader.ok) return failed(invocation, reader.error);
      const read = await eachEvent(reader.value, last, (event) => write(toLine(event)));
      if (!read.ok) return failed(invocation, read.error);
      last = read.value;
      if (gone || flags.follow !== true || !live) return EXIT.done;
      await new Promise((resolve) => setTimeout(resolve, FOLLOW_EVERY_MS));
    }
  });

/** `glovebox timeline verify ID`: whether every event still fits the chain. */
export const verifyTimeline = (invocation: Invocation, text: string): Promise<number> =>
  withSession(invocation, text, async (id) => {
    const reader = invocation.host.sessions.timeline(id);
    if (!reader.ok) return failed(invocation, reader.error);
    const check = reader.value.verify();
    if (!check.ok) return failed(invocation, check.error);
    const { intact, events, message } = check.value;
    if (!intact) return failed(invocation, { code: 'timeline.broken', message });
    invocation.console.out(`intact: ${events} events`);
    return EXIT.done;
  });
