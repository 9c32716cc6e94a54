import { existsSync } from 'node:fs';
import type { Code, QuestionId, Reply, SessionId } from '../contract/index.ts';
import type { Running } from '../engine/port.ts';
import { failure, type Failure } from '../kit/index.ts';
import { takeAnswers } from './answer-files.ts';
import type { Log, SessionDeps } from './deps.ts';
import type { SessionPaths } from './paths.ts';
import type { Parts } from './start-parts.ts';
import { when } from './together.ts';

/** How often a running session looks after itself. */
export const TICK_MS = 1000;
/** Ticks between two counts of changed files. */
export const COUNT_EVERY_TICKS = 3;
/** Ticks between two questions whether the engine still answers. */
export const PING_EVERY_TICKS = 5;
/** Unanswered questions in a row after which the engine is taken for lost. */
export const MAX_MISSED_PINGS = 2;

/** Why a session ends: asked for, by itself, or because something it cannot be without is gone. */
export type End = { readonly message: string; readonly problem?: Failure<Code> };

/** What is watched, and whom to tell. */
export type Watched = {
  readonly id: SessionId;
  readonly paths: SessionPaths;
  readonly isEnding: () => boolean;
  readonly end: (why: End) => void;
  readonly engineLost: () => Failure<Code>;
  readonly onChanged: (files: number) => void;
  /** A person's answer from another process. */
  readonly onAnswer: (id: QuestionId, reply: Reply) => void;
  /** Resolves when the session begins to end: then there is nothing more to watch. */
  readonly ending: Promise<unknown>;
};

/** Ends the session when one of its containers ends although nobody asked it to. */
export const watchContainers = (log: Log, parts: Parts, watched: Watched): void => {
  const watch = (container: Running, code: Code, what: string): void => {
    when(container.ended, async ({ exitCode, tail }) => {
      if (watched.isEnding()) return;
      if (!(await parts.engine.ping())) {
        watched.end({ message: 'the engine is lost', problem: watched.engineLost() });
        return;
      }
      log('warn', `${what} of session ${watched.id} ended`, { exitCode, tail });
      watched.end({
        message: `${what} ended`,
        problem: failure(
          code,
          `${what} ended with status ${exitCode}; the session was ended with it.`,
          'Changes up to then are kept.',
        ),
      });
    });
  };
  watch(parts.gateway, 'gateway.failed', 'The gateway');
  watch(parts.guardContainer, 'guard.failed', 'The guard');
  watch(parts.sandbox, 'session.ended-early', 'The sandbox');
};

/** Looks, until the session ends, for a wish to stop or an answer from elsewhere, for changed files, and whether the engine answers. */
export const keepWatch = (deps: SessionDeps, parts: Parts, watched: Watched): void => {
  let tick = 0;
  let missed = 0;
  let cancel: (() => void) | undefined;
  const look = async (): Promise<void> => {
    tick += 1;
    if (existsSync(watched.paths.stopRequest)) {
      watched.end({ message: 'it was stopped from another process' });
    }
    for (const { id, reply } of takeAnswers(watched.paths.answers)) watched.onAnswer(id, reply);
    if (tick % COUNT_EVERY_TICKS === 0) {
      const changed = await deps.workspace.countChanges(watched.paths.folder);
      if (changed !== undefined) watched.onChanged(changed);
    }
    if (tick % PING_EVERY_TICKS === 0) {
      missed = (await parts.engine.ping()) ? 0 : missed + 1;
      if (missed >= MAX_MISSED_PINGS) {
        watched.end({ message: 'the engine is lost', problem: watched.engineLost() });
      }
    }
  };
  const lookAgain = async (): Promise<void> => {
    try {
      await look();
    } catch (why) {
      deps.log('warn', `session ${watched.id} could not look after itself`, { why });
    }
    if (!watched.isEnding()) next();
  };
  const next = (): void => {
    cancel = deps.clock.after(TICK_MS, () => void lookAgain());
  };
  next();
  when(watched.ending, () => cancel?.());
};
