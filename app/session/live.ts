import {
  type Code,
  MAX_MESSAGE_CHARS,
  type Problem,
  type SessionDraft,
  type SessionId,
  type SessionSummary,
  type StartRequest,
  type TerminalId,
  type TerminalSize,
  type TimelineDraft,
} from '../contract/index.ts';
import {
  createScope,
  fail,
  failure,
  isoTime,
  ok,
  type Failure,
  type Result,
} from '../kit/index.ts';
import { ASSISTANT_PRESETS } from '../policy/index.ts';
import type { Terminal } from '../terminal/index.ts';
import type { TimelineWriter } from '../timeline/port.ts';
import type { SessionDeps } from './deps.ts';
import type { Attendance } from './attendance.ts';
import { createQuestions, type Questions } from './questions.ts';
import { createOpenRequests, type OpenRequests } from './open-requests.ts';
import type { SessionPaths } from './paths.ts';
import type { HeadlessIo } from './port.ts';
import {
  DEFAULT_TERMINAL_SIZE,
  startHeadless,
  type Command,
  type ProgramDeps,
} from './programs.ts';
import { startParts, type Parts } from './start-parts.ts';
import { freeReserve } from './reserve.ts';
import { createProgressBoard, firstSummary } from './summary.ts';
import { createTerminals } from './terminals.ts';
import { asFailure, when } from './together.ts';
import { keepWatch, watchContainers, type End, type Watched } from './watch.ts';

/**
 * How long the guard's end of file, which says that its last touches have been read, may take to arrive
 * after its container is gone: it comes at once, unless this process lags.
 */
export const LAST_TOUCHES_MS = 5000;
/** Shell of further terminals. */
const SHELL: Command = ['/bin/bash', '-l'];

export type LiveOptions = {
  readonly id: SessionId;
  readonly request: StartRequest;
  readonly paths: SessionPaths;
  readonly io: HeadlessIo | undefined;
  readonly writer: TimelineWriter;
  readonly attendance: Pick<Attendance, 'attended' | 'onAbandoned'>;
};

/** A session of this process, from its first step until everything it opened is gone. */
export type LiveSession = {
  readonly summary: () => SessionSummary;
  readonly writer: TimelineWriter;
  readonly open: OpenRequests;
  /** Resolves when it is over; `leftovers` where containers could not be removed. */
  readonly ended: Promise<{ readonly summary: SessionSummary; readonly leftovers: boolean }>;
  readonly stop: () => Promise<SessionSummary>;
  readonly openTerminal: (size: TerminalSize) => Promise<Result<Terminal, Failure<Code>>>;
  readonly terminal: (id: TerminalId) => Terminal | undefined;
  /** Where its containers are, once it has an engine. */
  readonly engineAddress: () => string | undefined;
  readonly answer: Questions['answer'];
};

const toProblem = (from: Failure<Code>): Problem => ({
  code: from.code,
  message: from.message.slice(0, MAX_MESSAGE_CHARS),
  ...(from.hint === undefined ? {} : { hint: from.hint.slice(0, MAX_MESSAGE_CHARS) }),
});

/** Starts at once; whoever made it hears of each change through `onChange` (`lasting` ones belong on disk). */
export const createLiveSession = (
  deps: SessionDeps,
  options: LiveOptions,
  onChange: (summary: SessionSummary, lasting: boolean) => void,
): LiveSession => {
  const { id, request, paths, io, writer, attendance } = options;
  const held = createScope(`session ${id}`);
  const abort = new AbortController();
  const open = createOpenRequests();
  const board = createProgressBoard();
  const alerts = new Map<Code, Problem>();
  let summary = firstSummary(id, request, isoTime(deps.clock.now()));
  let parts: Parts | undefined;
  let engineAddress: string | undefined;
  let headless = 0;
  let guardGone: (() => void) | undefined;
  let guardIsGone = false;
  const over = Promise.withResolvers<{ summary: SessionSummary; leftovers: boolean }>();
  const ending = Promise.withResolvers<End>();
  let isEnding = false;
  let wentLive = false;

  const update = (change: Partial<SessionSummary>, lasting = true): void => {
    summary = { ...summary, ...change };
    onChange(summary, lasting);
  };
  const note = (op: SessionDraft['op'], message?: string, code?: Code): SessionDraft => ({
    kind: 'session',
    at: isoTime(deps.clock.now()),
    op,
    ...(message === undefined ? {} : { message: message.slice(0, MAX_MESSAGE_CHARS) }),
    ...(code === undefined ? {} : { code }),
  });
  const end = (why: End): void => {
    if (isEnding) return;
    isEnding = true;
    ending.resolve(why);
    abort.abort(new Error(why.message));
  };
  const alert = (problem: Failure<Code> | undefined, code: Code): void => {
    if (problem === undefined) alerts.delete(code);
    else alerts.set(code, toProblem(problem));
    update({ alerts: Array.from(alerts.values()) });
  };

  const questions = createQuestions({
    clock: deps.clock,
    attended: () => attendance.attended() && !isEnding,
    record: (draft) => {
      writer.append([draft]);
    },
    onChange: (waiting) => update({ questions: Array.from(waiting) }),
  });
  const undoAbandoned = attendance.onAbandoned(questions.abandon);

  const onEvents = (drafts: readonly TimelineDraft[]): void => {
    const kept = drafts.filter((draft) => {
      if (draft.kind !== 'session' || draft.op !== 'guard-lost') return true;
      guardIsGone = true;
      guardGone?.();
      if (isEnding) return false; // Its container was just removed; that is no loss.
      // Touches are no longer seen, and what is not seen must not happen (P8): no grace.
      end({
        message: 'the guard stopped',
        problem: failure(
          'guard.failed',
          'The guard stopped, so file touches were no longer recorded; the session was ended.',
          'Changes up to then are kept. Start a new session to go on.',
        ),
      });
      return true;
    });
    if (kept.length > 0) writer.append(kept);
    open.recorded(kept);
  };
  const onBroker = (state: 'up' | 'down', message: string): void => {
    if (isEnding) return;
    if (state === 'down') {
      open.clear();
      writer.append([note('broker-lost', message, 'egress.broker-down')]);
      alert(
        failure(
          'egress.broker-down',
          `The broker stopped and is restarting: nothing leaves. ${message}`,
        ),
        'egress.broker-down',
      );
    } else if (alerts.has('egress.broker-down')) {
      writer.append([note('broker-back', message)]);
      alert(undefined, 'egress.broker-down');
    }
  };
  const undoFailureListener = writer.onFailure((problem) => {
    // What can't be on record must not happen (P8): the way out goes first, before the containers.
    if (parts !== undefined) when(parts.broker.close(), () => undefined);
    end({
      message: 'the timeline could not be written',
      problem: failure(
        problem.code,
        `${problem.message} What happens must be on record, so the session was ended.`,
        problem.hint === undefined
          ? 'Changes up to then are kept.'
          : 'Free some space, then start again. Changes up to then are kept.',
      ),
    });
  });

  const engineLost = (): Failure<Code> =>
    failure(
      'engine.lost',
      `The container engine${engineAddress === undefined ? '' : ` at ${engineAddress}`} stopped answering.`,
      'The session’s changes are kept. Start the engine again, then review them.',
    );
  const programs: ProgramDeps = {
    clock: deps.clock,
    append: (drafts) => {
      writer.append(drafts);
    },
  };
  const terminals = createTerminals(programs, held, {
    onChange: (list) => update({ terminals: list }),
    onFirstExit: (exitCode) => update({ exitCode }),
    onLost: () => end({ message: 'the engine is lost', problem: engineLost() }),
    // The assistant may end while a person works on in another shell: the last one ends the session.
    onLastExit: () => {
      if (headless === 0) end({ message: 'its last terminal ended' });
    },
  });

  const startAssistant = async (running: Parts): Promise<Result<void, Failure<Code>>> => {
    const preset = ASSISTANT_PRESETS[request.assistant];
    const [program = '/bin/bash', ...rest] = request.command ?? preset.command;
    const command: Command = [program, ...rest];
    if (io === undefined) {
      const size = request.size ?? DEFAULT_TERMINAL_SIZE;
      const terminal = await terminals.open(running, { command, title: preset.title, size });
      return terminal.ok ? ok(undefined) : terminal;
    }
    const exit = await startHeadless(programs, running, command, io);
    if (!exit.ok) return exit;
    headless = 1;
    when(exit.value, (exitCode) => {
      headless = 0;
      update({ exitCode });
      end(
        exitCode === -1
          ? { message: 'the engine is lost', problem: engineLost() }
          : { message: `its command ended with status ${exitCode}` },
      );
    });
    return ok(undefined);
  };

  const watched: Watched = {
    id,
    paths,
    isEnding: () => isEnding,
    end,
    engineLost,
    onChanged: (changed) => {
      if (changed !== summary.changed) update({ changed }, false);
    },
    onAnswer: (question, reply) => {
      questions.answer(question, reply);
    },
    ending: ending.promise,
  };

  /** All the way up; resolves with the failure where a step failed. */
  const climb = async (): Promise<Failure<Code> | undefined> => {
    try {
      const built = await startParts(
        deps,
        { id, request, paths },
        {
          onEngine: ({ address }) => {
            engineAddress = address;
            onChange(summary, true);
          },
          onProgress: (progress) => {
            board.begin(progress);
            update({ progress: board.shown() }, false);
          },
          onDone: (step) => {
            board.done(step);
            const shown = board.shown();
            if (shown !== undefined) update({ progress: shown }, false);
          },
          onGrants: (grants) => update({ grants: Array.from(grants) }),
          onEvents,
          onOpen: open.opened,
          onBroker,
          ask: questions.ask,
        },
        held,
        abort,
      );
      parts = built;
      // Broker and guard have both said ready: only now may anything of the assistant run.
      writer.append([note('ready')]);
      watchContainers(deps.log, built, watched);
      board.begin({ step: 'assistant', message: 'starting the assistant' });
      const started = await startAssistant(built);
      if (!started.ok) return started.error;
      wentLive = true;
      keepWatch(deps, built, watched);
      const { progress: _done, ...rest } = summary;
      summary = rest;
      update({ state: isEnding ? 'stopping' : 'running' });
      return undefined;
    } catch (why) {
      if (!isEnding) deps.log('warn', `session ${id} did not start`, { why });
      return asFailure(why, 'Starting the session');
    }
  };

  const tearDown = async (): Promise<boolean> => {
    let leftovers = false;
    const running = parts;
    if (running !== undefined) {
      const removed = await running.engine.removeSession(id);
      leftovers = !removed.ok;
      if (removed.ok && !guardIsGone) {
        await new Promise<void>((resolve) => {
          const cancel = deps.clock.after(LAST_TOUCHES_MS, resolve);
          guardGone = () => {
            cancel();
            resolve();
          };
        });
      }
    }
    try {
      await held.close();
    } catch (why) {
      deps.log('warn', `session ${id} could not be cleared away whole`, { why });
      leftovers = leftovers || running === undefined;
    }
    return leftovers;
  };

  /** What there is to review; undefined where it could not be found out, which counts as something. */
  const countKept = async (): Promise<number | undefined> => {
    const changes = await deps.workspace.changes(paths.folder, AbortSignal.timeout(60_000));
    if (changes.ok) return changes.value.changes.length;
    deps.log('warn', `the changes of session ${id} could not be read`, { why: changes.error });
    return undefined;
  };

  const run = async (): Promise<void> => {
    writer.append([note('started', summary.title)]);
    onChange(summary, true);
    const failed = await climb();
    if (failed !== undefined) {
      end(
        isEnding
          ? { message: 'it was stopped while starting' }
          : { message: failed.message, problem: failed },
      );
    }
    const why = await ending.promise;
    undoAbandoned();
    questions.abandon();
    const { progress: _progress, ...rest } = summary;
    summary = rest;
    update({ state: 'stopping' });
    const leftovers = await tearDown();
    const ran = parts !== undefined;
    const kept = ran ? await countKept() : 0;
    const problem = why.problem;
    // While containers may be left, so may be a mount on it: whoever removes them comes for the folder too.
    if (kept === 0 && !leftovers) {
      const discarded = await deps.workspace.discard(paths.folder);
      if (!discarded.ok)
        deps.log('warn', `session ${id} left its folder`, { why: discarded.error });
    }
    writer.append([
      problem === undefined
        ? note('stopped', why.message)
        : note(wentLive ? 'stopped' : 'failed', problem.message, problem.code),
    ]);
    undoFailureListener();
    const flushed = await writer.flush();
    freeReserve(paths.timelineReserve);
    if (!flushed.ok)
      deps.log('error', `the timeline of session ${id} is not whole`, { why: flushed.error });
    writer.close();
    // Only now: closing takes over into the store what its log holds, in whatever room there is.
    freeReserve(paths.recordReserve);
    update({
      state: kept !== 0 ? 'review' : problem === undefined ? 'closed' : 'failed',
      endedAt: isoTime(deps.clock.now()),
      alerts: [],
      ...(kept === undefined ? {} : { changed: kept }),
      ...(problem === undefined ? {} : { problem: toProblem(problem) }),
    });
    over.resolve({ summary, leftovers });
  };

  if (request.limits.ttlMs !== undefined) {
    const { ttlMs } = request.limits;
    summary = { ...summary, endsAt: isoTime(deps.clock.now() + ttlMs) };
    const cancel = deps.clock.after(ttlMs, () => end({ message: 'its time was up' }));
    when(ending.promise, cancel);
  }
  void run().catch((why: unknown) => {
    // A bug: whoever waits must not wait for ever, and what the session did must stay reviewable.
    deps.log('error', `session ${id} broke`, { why });
    void held.close().catch(() => undefined);
    freeReserve(paths.timelineReserve);
    freeReserve(paths.recordReserve);
    update({
      state: parts === undefined ? 'failed' : 'review',
      endedAt: isoTime(deps.clock.now()),
      problem: toProblem(asFailure(why, 'Running the session')),
    });
    over.resolve({ summary, leftovers: true });
  });

  return {
    summary: () => summary,
    writer,
    open,
    ended: over.promise,
    stop: async () => {
      end({ message: 'it was stopped' });
      return (await over.promise).summary;
    },
    openTerminal: async (size) => {
      if (parts === undefined || isEnding) {
        return fail('session.not-running', 'The session is not running.', 'Start a new one.');
      }
      const shells = terminals.count() + (io === undefined ? 0 : 1);
      return terminals.open(parts, { command: SHELL, title: `shell ${shells}`, size });
    },
    terminal: terminals.get,
    engineAddress: () => engineAddress,
    answer: questions.answer,
  };
};
