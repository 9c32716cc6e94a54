import { buildWatchSet, type WatchedValue } from '../broker/index.ts';
import type { WatchSet } from '../broker/fingerprint.ts';
import type { HiddenFile, TimelineDraft } from '../contract/index.ts';
import { isoTime, sleep, type Clock } from '../kit/index.ts';
import { secretParts } from '../policy/index.ts';
import type { Vault } from '../vault/port.ts';
import type { Workspace } from '../workspace/port.ts';
import type { SessionPlan } from './plan-session.ts';

/** How long the credentials that were not granted may take to be told, in milliseconds: a keychain may ask first. */
export const WATCH_PATIENCE_MS = 5000;
/** Most files or credentials that are named where they could not be read. */
const MAX_NAMED = 10;

export type WatchDeps = {
  readonly clock: Clock;
  readonly vault: Pick<Vault, 'list' | 'reveal'>;
  readonly workspace: Pick<Workspace, 'hiddenValues'>;
};

export type WatchOrder = {
  /** The fingerprints; the values stay where they were read. */
  readonly set: WatchSet;
  /** What is not watched for although it should be. */
  readonly gaps: readonly TimelineDraft[];
  /** For the log: how many values are watched for, and how many were not worth it. */
  readonly words: string;
};

const names = (list: readonly string[]): string =>
  list.length <= MAX_NAMED
    ? list.join(', ')
    : `${list.slice(0, MAX_NAMED).join(', ')} and ${String(list.length - MAX_NAMED)} more`;

/** The values of credentials that are stored and not granted, and those that could not be had in time. */
const otherCredentials = async (
  { clock, vault }: WatchDeps,
  granted: ReadonlySet<string>,
): Promise<{ readonly values: readonly WatchedValue[]; readonly unread: readonly string[] }> => {
  const listed = await vault.list();
  if (!listed.ok) return { values: [], unread: ['the vault'] };
  const wanted = listed.value.filter(({ name }) => !granted.has(name));
  const values: WatchedValue[] = [];
  const unread = new Set(wanted.map(({ name }) => name));
  const timer = new AbortController();
  const readAll = async (): Promise<void> => {
    for (const { name, kind } of wanted) {
      const revealed = await vault.reveal(name);
      if (timer.signal.aborted) return;
      if (!revealed.ok) continue;
      unread.delete(name);
      for (const { value } of secretParts(kind, revealed.value.secret.expose()))
        values.push({
          value,
          owner: { code: 'watch.other-credential', words: `The credential ${name}` },
        });
    }
  };
  if (wanted.length > 0) {
    // A keychain that asks the person first may not hold up the session.
    const late = sleep(clock, WATCH_PATIENCE_MS, timer.signal).catch(() => undefined);
    await Promise.race([readAll(), late]);
    timer.abort();
  }
  return { values: [...values], unread: Array.from(unread, (name) => `the credential ${name}`) };
};

/**
 * What the broker is to watch for in a session: values of the project's hidden files, also where one
 * is that of a granted credential, and of stored credentials that were not granted. What could not be read is said, never skipped in silence.
 */
export const orderWatch = async (
  deps: WatchDeps,
  project: string,
  hidden: readonly HiddenFile[],
  { credentials }: SessionPlan,
  signal: AbortSignal,
): Promise<WatchOrder> => {
  const grantedWith = (value: string): readonly string[] =>
    credentials
      .filter(({ grant, secret }) =>
        secretParts(grant.kind, secret.expose()).some((part) => part.value === value),
      )
      .map(({ grant }) => grant.credential);
  const [others, files] = await Promise.all([
    otherCredentials(deps, new Set(credentials.map(({ grant }) => grant.credential))),
    deps.workspace.hiddenValues(project, hidden, signal),
  ]);
  const fromFiles = (files.ok ? files.value.values : []).map(
    ({ path, name, value, setting }): WatchedValue => ({
      value,
      setting,
      owner: { code: 'watch.hidden-value', words: `The value of ${name} in ${path}`.slice(0, 500) },
    }),
  );
  const report = buildWatchSet(
    [...others.values, ...fromFiles].map((watched) => {
      const granted = grantedWith(watched.value);
      return granted.length === 0 ? watched : { ...watched, owner: { ...watched.owner, granted } };
    }),
  );
  const unread = [
    ...others.unread,
    ...(files.ok ? files.value.unread : hidden.map(({ path }) => path)),
  ];
  const gap = (lost: number, message: string): TimelineDraft => ({
    kind: 'gap',
    at: isoTime(deps.clock.now()),
    source: 'broker',
    lost,
    message: message.slice(0, 1000),
  });
  return {
    set: report.set,
    gaps: [
      ...(unread.length === 0
        ? []
        : [
            gap(
              unread.length,
              `Not watched for on the way out, because unreadable: ${names(unread)}.`,
            ),
          ]),
      ...(report.tooMany === 0
        ? []
        : [gap(report.tooMany, 'More values than can be watched for on the way out.')]),
    ],
    words: `watching for ${String(report.watched)} values; ${String(report.tooPlain)} too plain`,
  };
};
