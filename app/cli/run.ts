import { createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { resolve } from 'node:path';
import type { SessionId, SessionSummary } from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import type { TimelineReader } from '../timeline/port.ts';
import { attachTty, ttySize } from './attach-tty.ts';
import { printable, sayFailure } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { toStartRequest, type RunFlags } from './run-request.ts';
import { onStopSignal, signalStatus, type StopSignal } from './stop-signals.ts';
import { toLine } from './timeline-export.ts';
import type { Invocation } from './with-host.ts';

/** Tells progress of one session, each new message once. */
const tellProgress = ({ host, console }: Invocation, id: SessionId): (() => void) => {
  let told = '';
  const tell = (session: SessionSummary): void => {
    const message = session.state === 'starting' ? (session.progress?.message ?? '') : '';
    if (message === '' || message === told) return;
    told = message;
    console.progress(`  ${printable(message)}`);
  };
  return host.sessions.onChange((change) => {
    if (change.type === 'changed' && change.session.id === id) tell(change.session);
  });
};

/**
 * Rings the terminal's bell for each question that comes: the screen belongs to the program inside, so
 * the question itself is listed and answered from another shell.
 */
const ringForQuestions = ({ host, around }: Invocation, id: SessionId): (() => void) => {
  let waiting = 0;
  return host.sessions.onChange((change) => {
    if (change.type !== 'changed' || change.session.id !== id) return;
    const now = change.session.questions?.length ?? 0;
    if (now > waiting) around.stdout.write('\u0007');
    waiting = now;
  });
};

/** Resolves with the session's first terminal; undefined where it ended before it had one. */
const firstTerminal = ({ host, scope }: Invocation, id: SessionId) => {
  const found = Promise.withResolvers<ReturnType<typeof host.sessions.terminal>>();
  const look = (): void => {
    const [first] = host.sessions.get(id)?.terminals ?? [];
    if (first !== undefined) found.resolve(host.sessions.terminal(id, first.id));
  };
  scope.defer(host.sessions.onChange(look));
  look();
  void host.sessions.ended(id).then(() => found.resolve(undefined), found.reject);
  return found.promise;
};

/** Stops the session when this process is asked to end; tells afterwards by which signal. */
const stopOnSignal = (
  { host, console, endBy, scope }: Invocation,
  id: SessionId,
): (() => StopSignal | undefined) => {
  let caught: StopSignal | undefined;
  onStopSignal(
    (signal) => {
      caught = signal;
      console.progress(`Stopping session ${id} …`);
      void host.sessions.stop(id);
    },
    endBy,
    scope,
  );
  return () => caught;
};

async function* lines(reader: Pick<TimelineReader, 'since'>): AsyncGenerator<string> {
  let after = 0;
  for (;;) {
    const events = reader.since(after, 500);
    if (!events.ok) throw new Error(events.error.message);
    for (const event of events.value) yield `${toLine(event)}\n`;
    const last = events.value.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

const writeTimeline = async (
  { host, around }: Invocation,
  id: SessionId,
  path: string,
): Promise<Result<void>> => {
  const reader = host.sessions.timeline(id);
  if (!reader.ok) return reader;
  try {
    const file = createWriteStream(resolve(around.workingFolder, path), { mode: 0o600 });
    await pipeline(lines(reader.value), file);
    return ok(undefined);
  } catch (reason) {
    const why = reason instanceof Error ? reason.message : String(reason);
    return fail('timeline.failed', `The timeline could not be written to ${path}: ${why}`);
  }
};

const tellOutcome = ({ console }: Invocation, session: SessionSummary): void => {
  if (session.state !== 'review') {
    // Where it never ran, the failure has said all there is.
    if (session.problem !== undefined) return;
    console.progress(`Session ${session.id}: nothing changed.`);
    return;
  }
  const count = session.changed;
  const files = count === undefined ? 'Files' : count === 1 ? '1 file' : `${count} files`;
  console.progress(
    `Session ${session.id}: ${files} changed; your project is as it was.\n` +
      `  See them:   glovebox session review ${session.id}\n` +
      `  Take them:  glovebox session accept ${session.id}\n` +
      `  Drop them:  glovebox session discard ${session.id}`,
  );
};

/** `glovebox run`: one session for one command; ends with the command's own status. */
export const run = async (
  invocation: Invocation,
  flags: RunFlags,
  command: readonly string[],
): Promise<number> => {
  const { host, console, around } = invocation;
  const { stdin, stdout, stderr } = around;
  const interactive = stdin.isTTY && stdout.isTTY;
  const request = await toStartRequest(flags, command, {
    workingFolder: around.workingFolder,
    ...(interactive ? { size: ttySize(stdout) } : {}),
  });
  if (!request.ok) {
    sayFailure(console, request.error);
    return exitCodeOf(request.error);
  }
  const started = await host.sessions.start(
    request.value,
    interactive ? undefined : { stdin: stdin.isTTY ? undefined : stdin, stdout, stderr },
  );
  if (!started.ok) {
    sayFailure(console, started.error);
    return exitCodeOf(started.error);
  }
  const { id } = started.value;
  invocation.scope.defer(tellProgress(invocation, id));
  const caught = stopOnSignal(invocation, id);
  // Whoever read our output is gone: the command would be told so by SIGPIPE, the session is stopped.
  stdout.once('error', () => void host.sessions.stop(id));

  if (interactive) {
    invocation.scope.defer(host.sessions.attend());
    invocation.scope.defer(ringForQuestions(invocation, id));
    const terminal = await firstTerminal(invocation, id);
    if (terminal !== undefined) await attachTty(terminal, around);
  }
  const last = await host.sessions.ended(id);

  let status = last.exitCode ?? EXIT.failed;
  if (last.problem !== undefined) {
    sayFailure(console, last.problem as Parameters<typeof sayFailure>[1]);
    status = exitCodeOf(last.problem as Parameters<typeof exitCodeOf>[0]);
  }
  const signal = caught();
  if (signal !== undefined) status = signalStatus(signal);
  if (flags.timeline !== undefined) {
    const written = await writeTimeline(invocation, id, flags.timeline);
    if (!written.ok) {
      sayFailure(console, written.error);
      if (status === 0) status = EXIT.failed;
    }
  }
  tellOutcome(invocation, last);
  return status < 0 ? EXIT.failed : status;
};
