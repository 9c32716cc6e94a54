import { SessionId, type FileChange, type SessionSummary } from '../contract/index.ts';
import type { Failure } from '../kit/index.ts';
import { printable, sayFailure } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { notYet } from './not-yet.ts';
import type { Invocation } from './with-host.ts';

const failed = ({ console }: Invocation, failure: Failure): number => {
  sayFailure(console, failure);
  return exitCodeOf(failure);
};

/** Runs `task` with the session id that was typed, or says that there is none. */
export const withSession = async (
  invocation: Invocation,
  text: string,
  task: (id: SessionId) => Promise<number>,
): Promise<number> => {
  const id = SessionId.safeParse(text);
  if (id.success && invocation.host.sessions.get(id.data) !== undefined) return task(id.data);
  return failed(invocation, {
    code: 'session.not-found',
    message: `There is no session ${text}.`,
    hint: 'glovebox session list shows them.',
  });
};

const STATE_WORDS: Readonly<Record<SessionSummary['state'], string>> = {
  starting: 'starting',
  running: 'running',
  stopping: 'stopping',
  review: 'to review',
  closed: 'closed',
  failed: 'failed',
};

export const listSessions = async (
  { host, console }: Invocation,
  asJson: boolean,
): Promise<number> => {
  const sessions = host.sessions.list();
  if (asJson) console.out(JSON.stringify(sessions));
  else if (sessions.length === 0) console.say('There are no sessions.');
  else {
    for (const session of sessions) {
      const { id, state, assistant, changed, startedAt, project } = session;
      console.out(
        [
          id,
          STATE_WORDS[state],
          assistant,
          changed === undefined ? '-' : `${changed} changed`,
          startedAt.slice(0, 19),
          project,
        ]
          .map(printable)
          .join('\t'),
      );
    }
  }
  return EXIT.done;
};

export const stopSession = (invocation: Invocation, text: string): Promise<number> =>
  withSession(invocation, text, async (id) => {
    const stopped = await invocation.host.sessions.stop(id);
    if (!stopped.ok) return failed(invocation, stopped.error);
    invocation.console.say(`Session ${id} has ended.`);
    return EXIT.done;
  });

const MARKS: Readonly<Record<FileChange['change'], string>> = {
  added: 'A',
  modified: 'M',
  deleted: 'D',
  mode: 'P',
  type: 'T',
};

const describe = (change: FileChange): string => {
  const counts =
    change.added === undefined && change.removed === undefined
      ? ''
      : `\t+${change.added ?? 0} -${change.removed ?? 0}`;
  const notes = [
    change.heldBack === undefined ? undefined : `held back: ${change.heldBack}`,
    change.wouldRun === undefined ? undefined : `would run: ${change.wouldRun}`,
    change.conflict === true ? 'your own file changed too' : undefined,
  ].filter((note) => note !== undefined);
  const kind = change.type === 'directory' ? '/' : '';
  return `${MARKS[change.change]}\t${printable(change.path)}${kind}${counts}${notes.length === 0 ? '' : `\t(${printable(notes.join('; '))})`}`;
};

export const reviewSession = (
  invocation: Invocation,
  text: string,
  asJson: boolean,
): Promise<number> =>
  withSession(invocation, text, async (id) => {
    const changes = await invocation.host.sessions.changes(id);
    if (!changes.ok) return failed(invocation, changes.error);
    const { out, say } = invocation.console;
    if (asJson) out(JSON.stringify(changes.value));
    else {
      for (const change of changes.value.changes) out(describe(change));
      if (changes.value.changes.length === 0) say('Nothing changed.');
      if (changes.value.cut) say('There are more; the list is cut.');
    }
    return EXIT.done;
  });

export const acceptSession = (
  invocation: Invocation,
  text: string,
  paths: readonly string[],
): Promise<number> =>
  withSession(invocation, text, async (id) => {
    const some = paths.length > 0 ? notYet('acceptSome') : undefined;
    if (some?.ok === false) return failed(invocation, some.error);
    const accepted = await invocation.host.sessions.accept(id);
    if (!accepted.ok) return failed(invocation, accepted.error);
    const { applied, heldBack } = accepted.value;
    invocation.console.say(`${applied} ${applied === 1 ? 'change' : 'changes'} accepted.`);
    for (const change of heldBack) invocation.console.say(`  left out: ${describe(change)}`);
    return EXIT.done;
  });

export const discardSession = (invocation: Invocation, text: string): Promise<number> =>
  withSession(invocation, text, async (id) => {
    const discarded = await invocation.host.sessions.discard(id);
    if (!discarded.ok) return failed(invocation, discarded.error);
    invocation.console.say(`The changes of session ${id} are gone.`);
    return EXIT.done;
  });
