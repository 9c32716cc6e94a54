import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import {
  type Code,
  type QuestionId,
  type Reply,
  type SessionDraft,
  SessionId,
  type SessionSummary,
  type StartRequest,
} from '../contract/index.ts';
import {
  createEmitter,
  fail,
  isoTime,
  ok,
  randomId,
  sleep,
  unwrap,
  type Failure,
  type Result,
  type Scope,
} from '../kit/index.ts';
import { writeAnswer } from './answer-files.ts';
import { createArchive, type Archived } from './archive.ts';
import { createAttendance } from './attendance.ts';
import type { SessionDeps } from './deps.ts';
import { createLiveSession, type LiveSession } from './live.ts';
import { thisOwner } from './owner.ts';
import { checkSocketPaths, sessionPaths } from './paths.ts';
import type { HeadlessIo, Sessions } from './port.ts';
import {
  freeReserve,
  keepReserve,
  RECORD_RESERVE_BYTES,
  TIMELINE_RESERVE_BYTES,
} from './reserve.ts';
import { createReaders } from './readers.ts';
import { asFailure, when } from './together.ts';

/** How often the disk is looked at for sessions of other processes while someone listens. */
export const SCAN_EVERY_MS = 2000;
/** How long until the engine is asked again to remove what it did not remove. */
export const LEFTOVERS_EVERY_MS = 3000;
/** How long another process may take to stop a session it was asked to stop. */
export const STOP_ELSEWHERE_MS = 60_000;
/** How long another process may take to take an answer, in milliseconds. */
export const ANSWER_ELSEWHERE_MS = 10_000;

/** The sessions, and what the host does at its own start and when an engine comes (back). */
export type SessionService = Sessions & {
  /**
   * Clears away what dead owners left (containers, mounts, sockets) and settles what became of their
   * sessions. Run at the start and whenever an engine is found; what cannot be cleared yet stays marked.
   */
  readonly recover: () => Promise<void>;
};

type Change = { type: 'changed'; session: SessionSummary } | { type: 'gone'; id: SessionId };

const notFound = (id: SessionId): Result<never, Failure<Code>> =>
  fail('session.not-found', `There is no session ${id}.`, 'glovebox session list shows them.');

/** Makes the session service. Closing the scope stops this process's sessions, then waits for them. */
export const createSessions = (deps: SessionDeps, scope: Scope): SessionService => {
  const owner = deps.owner ?? thisOwner();
  const archive = createArchive(deps.home, owner, deps.log);
  const live = new Map<SessionId, LiveSession>();
  const changed = createEmitter<Change>((why) => deps.log('error', 'a listener failed', { why }));
  const readers = createReaders(deps);
  const attendance = createAttendance(deps.clock);
  const queues = new Map<SessionId, Promise<unknown>>();
  const isLive = (id: SessionId): boolean => live.has(id);

  const announce = (session: SessionSummary): void => changed.emit({ type: 'changed', session });
  const scan = (): void => {
    const news = archive.scan(isLive);
    for (const { summary } of news.changed) announce(summary);
    for (const id of news.gone) changed.emit({ type: 'gone', id });
  };
  scan();

  /** One decision about a session at a time. */
  const inTurn = <T>(id: SessionId, task: () => Promise<T>): Promise<T> => {
    const turn = (queues.get(id) ?? Promise.resolve()).then(task, task);
    const quiet = turn
      .catch(() => undefined)
      .finally(() => {
        if (queues.get(id) === quiet) queues.delete(id);
      });
    queues.set(id, quiet);
    return turn;
  };

  /** A session that is over and may be decided about. */
  const settledOne = async (id: SessionId): Promise<Result<Archived, Failure<Code>>> => {
    archive.scan(isLive);
    const found = archive.get(id);
    if (isLive(id) || found?.standing === 'elsewhere') {
      return fail('session.running', 'The session is still running.', 'Stop it first.');
    }
    if (found === undefined) return notFound(id);
    if (found.standing === 'over' && !found.record.leftovers) return ok(found);
    return settle(found);
  };

  /** Removes what a session may have left running, then finds out whether there is something to review. */
  const settle = async (found: Archived): Promise<Result<Archived, Failure<Code>>> => {
    const { id } = found.summary;
    const { folder, timelineReserve, recordReserve } = sessionPaths(deps.home, id);
    const engine = await deps.engine();
    if (!engine.ok) return engine;
    const ranOn = found.record.engine;
    if (ranOn !== undefined && ranOn !== engine.value.address) {
      return fail(
        'engine.lost',
        `The session ran on the container engine at ${ranOn}; the one at ${engine.value.address} cannot say whether its containers are gone.`,
        'Start that engine again.',
      );
    }
    freeReserve(timelineReserve);
    freeReserve(recordReserve);
    const removed = await engine.value.removeSession(id);
    if (!removed.ok) return removed;
    const swept = await deps.workspace.sweep(folder);
    if (!swept.ok) return swept;
    const changes = await deps.workspace.changes(folder, scope.signal);
    const count = changes.ok ? changes.value.changes.length : undefined;
    if (count === 0) await deps.workspace.discard(folder);
    const { state: was, problem, endedAt = isoTime(deps.clock.now()) } = found.summary;
    const empty = was === 'review' ? (problem === undefined ? 'closed' : 'failed') : was;
    const saved = archive.save({
      ...found.record,
      owner,
      leftovers: false,
      summary: {
        ...found.summary,
        endedAt,
        // It may have gone on writing while nobody could ask it to stop.
        state: count === 0 ? empty : 'review',
        ...(count === undefined ? {} : { changed: count }),
      },
    });
    announce(saved.summary);
    return ok(saved);
  };

  const clearings = new Set<() => void>();
  /** Tries again, until it succeeds, to remove what the engine would not remove when the session ended. */
  const clearLater = (id: SessionId): void => {
    if (scope.signal.aborted) return;
    const clear = async (): Promise<void> => {
      clearings.delete(cancel);
      const found = archive.get(id);
      if (found?.record.leftovers !== true) return;
      const settled = await inTurn(id, () => settledOne(id));
      if (!settled.ok) clearLater(id);
    };
    const cancel = deps.clock.after(
      LEFTOVERS_EVERY_MS,
      () =>
        void clear().catch((why: unknown) => {
          deps.log('error', `session ${id} could not be cleared away`, { why });
        }),
    );
    clearings.add(cancel);
  };

  /** Adds to the record of a session that is over. */
  const addToTimeline = async (
    id: SessionId,
    draft: Omit<SessionDraft, 'kind' | 'at'>,
  ): Promise<void> => {
    readers.drop(id);
    const path = sessionPaths(deps.home, id).timeline;
    const writer = await deps.openTimeline({ path, session: id });
    if (!writer.ok) {
      deps.log('error', `the decision on session ${id} is not on its timeline`, {
        why: writer.error,
      });
      return;
    }
    writer.value.append([{ kind: 'session', at: isoTime(deps.clock.now()), ...draft }]);
    const flushed = await writer.value.flush();
    if (!flushed.ok)
      deps.log('error', `the timeline of session ${id} failed`, { why: flushed.error });
    writer.value.close();
  };

  const start = async (
    request: StartRequest,
    io?: HeadlessIo,
  ): Promise<Result<SessionSummary, Failure<Code>>> => {
    if (scope.signal.aborted) return fail('session.failed', 'Glovebox is closing.');
    const id = SessionId.parse(randomId());
    const paths = sessionPaths(deps.home, id);
    const short = checkSocketPaths(paths);
    if (!short.ok) return short;
    try {
      mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
      mkdirSync(paths.run, { recursive: true, mode: 0o700 });
      keepReserve(paths.timelineReserve, TIMELINE_RESERVE_BYTES);
      const asked = Buffer.byteLength(JSON.stringify(request));
      keepReserve(paths.recordReserve, RECORD_RESERVE_BYTES + asked);
      const writer = unwrap(await deps.openTimeline({ path: paths.timeline, session: id }));
      let over = false;
      const session = createLiveSession(
        deps,
        { id, request, paths, io, writer, attendance },
        (summary, lasting) => {
          // A program that ends after its session changes nothing in what is on record by then.
          if (over) return;
          if (lasting) keep(request, summary, live.get(id)?.engineAddress());
          announce(summary);
        },
      );
      live.set(id, session);
      when(session.ended, ({ summary, leftovers }) => {
        live.delete(id);
        over = true;
        keep(request, summary, session.engineAddress(), leftovers);
        announce(summary);
        if (leftovers) clearLater(id);
      });
      return ok(session.summary());
    } catch (why) {
      archive.remove(id);
      rmSync(paths.run, { recursive: true, force: true });
      deps.log('error', 'a session could not be set up', { why });
      return { ok: false, error: asFailure(why, `Setting up a session below ${deps.home}`) };
    }
  };

  const keep = (
    request: StartRequest,
    summary: SessionSummary,
    engine: string | undefined,
    leftovers = false,
  ): void => {
    const record = { version: 1 as const, owner, summary, request, leftovers };
    archive.save(engine === undefined ? record : { ...record, engine });
  };

  const get = (id: SessionId): SessionSummary | undefined =>
    live.get(id)?.summary() ?? archive.get(id)?.summary;

  const ended = async (id: SessionId): Promise<SessionSummary> => {
    const mine = live.get(id);
    if (mine !== undefined) return (await mine.ended).summary;
    for (;;) {
      scan();
      const found = archive.get(id);
      if (found === undefined) throw new Error(`there is no session ${id}`);
      if (found.standing !== 'elsewhere') return found.summary;
      await sleep(deps.clock, SCAN_EVERY_MS / 4, scope.signal);
    }
  };

  const stopElsewhere = async (id: SessionId): Promise<Result<SessionSummary, Failure<Code>>> => {
    const { run, stopRequest } = sessionPaths(deps.home, id);
    // Gone already: it is stopping by itself.
    if (existsSync(run)) writeFileSync(stopRequest, '', { mode: 0o600 });
    const late = new AbortController();
    const cancel = deps.clock.after(STOP_ELSEWHERE_MS, () => late.abort());
    try {
      const over = ended(id);
      const limit = new Promise<undefined>((resolve) => {
        late.signal.addEventListener('abort', () => resolve(undefined), { once: true });
      });
      const summary = await Promise.race([over, limit]);
      over.catch(() => undefined);
      return summary === undefined
        ? fail(
            'session.failed',
            `The process that runs session ${id} did not stop it.`,
            'End that process.',
          )
        : ok(summary);
    } finally {
      cancel();
    }
  };

  const isOpen = (id: SessionId, question: QuestionId): boolean =>
    archive.get(id)?.summary.questions?.some((open) => open.id === question) === true;

  const answerElsewhere = async (
    id: SessionId,
    question: QuestionId,
    reply: Reply,
  ): Promise<Result<void, Failure<Code>>> => {
    if (!isOpen(id, question)) return fail('ask.gone', 'That question is no longer open.');
    writeAnswer(sessionPaths(deps.home, id).answers, question, reply);
    const late = deps.clock.monotonic() + ANSWER_ELSEWHERE_MS;
    while (deps.clock.monotonic() < late) {
      await sleep(deps.clock, SCAN_EVERY_MS / 4, scope.signal);
      scan();
      if (!isOpen(id, question)) return ok(undefined);
    }
    return fail('session.failed', `The process that runs session ${id} did not take the answer.`);
  };

  const service: SessionService = {
    list: () => {
      const running = Array.from(live.values(), (session) => session.summary());
      const others = archive.all().flatMap(({ summary }) => (isLive(summary.id) ? [] : [summary]));
      return [...running, ...others].toSorted((a, b) =>
        a.startedAt < b.startedAt ? 1 : a.startedAt > b.startedAt ? -1 : 0,
      );
    },
    get,
    onChange: changed.on,
    start,
    ended,
    stop: async (id) => {
      const mine = live.get(id);
      if (mine !== undefined) return ok(await mine.stop());
      scan();
      const found = archive.get(id);
      if (found === undefined) return notFound(id);
      return found.standing === 'elsewhere' ? stopElsewhere(id) : ok(found.summary);
    },
    answer: async (id, question, reply) => {
      const mine = live.get(id);
      if (mine !== undefined) return mine.answer(question, reply);
      scan();
      const found = archive.get(id);
      if (found === undefined) return notFound(id);
      return found.standing === 'elsewhere'
        ? answerElsewhere(id, question, reply)
        : fail('session.not-running', 'The session is not running; nothing of it waits.');
    },
    attend: attendance.attend,
    changes: async (id) => {
      const summary = get(id);
      if (summary === undefined) return notFound(id);
      if (summary.state === 'closed' || summary.state === 'failed') {
        return ok({ changes: [], cut: false });
      }
      return deps.workspace.changes(sessionPaths(deps.home, id).folder, scope.signal);
    },
    accept: (id) =>
      inTurn(id, async () => {
        const found = await settledOne(id);
        if (!found.ok) return found;
        if (found.value.summary.state !== 'review') {
          return fail('review.nothing', 'The session left nothing to review.');
        }
        const { folder } = sessionPaths(deps.home, id);
        const report = await deps.workspace.accept(folder, scope.signal);
        if (!report.ok) return report;
        const { applied, heldBack } = report.value;
        await addToTimeline(id, {
          op: 'accepted',
          message: `${applied} accepted, ${heldBack.length} held back`,
        });
        // What was held back is still the user's to decide about.
        await conclude(found.value, heldBack.length);
        return report;
      }),
    discard: (id) =>
      inTurn(id, async () => {
        const found = await settledOne(id);
        if (!found.ok) return found;
        if (found.value.summary.state !== 'review') {
          return fail('review.nothing', 'The session left nothing to review.');
        }
        const discarded = await deps.workspace.discard(sessionPaths(deps.home, id).folder);
        if (!discarded.ok) return discarded;
        await addToTimeline(id, { op: 'discarded' });
        await conclude(found.value, 0);
        return ok(undefined);
      }),
    forget: (id) =>
      inTurn(id, async () => {
        const found = await settledOne(id);
        if (!found.ok) return found;
        if (found.value.summary.state === 'review') {
          return fail(
            'review.waiting',
            'The session’s changes wait for review.',
            'Accept or discard them first.',
          );
        }
        readers.drop(id);
        const discarded = await deps.workspace.discard(sessionPaths(deps.home, id).folder);
        if (!discarded.ok) return discarded;
        archive.remove(id);
        changed.emit({ type: 'gone', id });
        return ok(undefined);
      }),
    openTerminal: async (id, size) => {
      const mine = live.get(id);
      if (mine !== undefined) return mine.openTerminal(size);
      return get(id) === undefined
        ? notFound(id)
        : fail(
            'session.not-running',
            'The session does not run in this process.',
            'Start a new one.',
          );
    },
    terminal: (id, terminal) => live.get(id)?.terminal(terminal),
    timeline: (id) => {
      const mine = live.get(id);
      // Over, and about to leave the list: its writer is closed, its file is there to be read.
      if (mine !== undefined && mine.summary().endedAt === undefined) return ok(mine.writer);
      if (get(id) === undefined) return notFound(id);
      return readers.of(id);
    },
    openRequests: (id) => live.get(id)?.open.list() ?? [],
    onOpenRequests: (id, listener) => live.get(id)?.open.onChange(listener) ?? (() => undefined),
    recover: async () => {
      scan();
      archive.sweepRunFolders(isLive);
      const engine = await deps.engine();
      if (engine.ok) {
        const swept = await engine.value.sweep();
        if (!swept.ok) deps.log('warn', 'the sweep failed', { why: swept.error });
        else if (swept.value.length > 0) deps.log('info', 'swept', { sessions: swept.value });
      }
      for (const found of archive.all()) {
        if (isLive(found.summary.id) || found.standing === 'elsewhere') continue;
        if (found.standing === 'over' && !found.record.leftovers) continue;
        const settled = await inTurn(found.summary.id, () => settle(found));
        if (!settled.ok) {
          deps.log('warn', `session ${found.summary.id} could not be settled`, {
            why: settled.error,
          });
        }
      }
    },
  };

  const conclude = async (found: Archived, remaining: number): Promise<void> => {
    const { problem: _problem, ...summary } = found.summary;
    if (remaining === 0) {
      const { folder } = sessionPaths(deps.home, summary.id);
      const discarded = await deps.workspace.discard(folder);
      if (!discarded.ok)
        deps.log('warn', `${folder} could not be emptied`, { why: discarded.error });
    }
    const saved = archive.save({
      ...found.record,
      summary: { ...summary, state: remaining === 0 ? 'closed' : 'review', changed: remaining },
    });
    announce(saved.summary);
  };

  let cancelScan: (() => void) | undefined;
  const scanLater = (): void => {
    cancelScan = deps.clock.after(SCAN_EVERY_MS, () => {
      if (changed.size() > 0) scan();
      scanLater();
    });
  };
  scanLater();
  scope.defer(async () => {
    cancelScan?.();
    attendance.close();
    for (const cancel of clearings) cancel();
    await Promise.all(Array.from(live.values(), (session) => session.stop()));
    await Promise.all(queues.values());
    readers.close();
  });
  return service;
};
