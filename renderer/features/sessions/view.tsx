import type { ReactNode } from 'react';
import type { SessionSummary } from '../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../shell/app.ts';
import { useAction, useKeys } from '../../shell/shortcuts.ts';
import { Button } from '../../ui/button.tsx';
import { cx } from '../../ui/class-names.ts';
import { formatSpan, formatWhen } from '../../ui/format.ts';
import { escapeHostile, HostileText } from '../../ui/hostile-text.tsx';
import { IconPlus } from '../../ui/icons.ts';
import { Instant } from '../../ui/instant.tsx';
import { useNow } from '../../ui/use-now.ts';
import { ASSISTANT_TITLES, sessionWords } from '../../ui/words.ts';
import { StatusFoot } from '../status/view.tsx';
import { Brand } from './parts/brand.tsx';
import { groupSessions, hasEnded, waitingCount } from './store.ts';
import styles from './view.module.css';

const dotOf = (session: SessionSummary): string | undefined => {
  if (session.state === 'failed') return styles.failed;
  if (session.state === 'review') return styles.review;
  if (session.state === 'closed') return styles.off;
  if (session.state === 'starting' || session.state === 'stopping') return styles.busy;
  return session.alerts.length > 0 || waitingCount(session) > 0 ? styles.alert : undefined;
};

const STATE_WORDS: Readonly<Record<SessionSummary['state'], string>> = {
  starting: 'starting',
  running: 'running',
  stopping: 'stopping',
  review: 'ended, changes to review',
  closed: 'ended',
  failed: 'failed',
};

const SessionRow = ({
  session,
  now,
  current,
}: {
  readonly session: SessionSummary;
  readonly now: number;
  readonly current: boolean;
}): ReactNode => {
  const { navigation } = useApp();
  const title = ASSISTANT_TITLES[session.assistant];
  const waiting = waitingCount(session);
  const ended = hasEnded(session);
  const at = ended ? (session.endedAt ?? session.startedAt) : session.startedAt;
  return (
    <li>
      <button
        type="button"
        className={cx(styles.session, current && styles.on)}
        aria-current={current ? 'page' : undefined}
        title={escapeHostile(`${title}, ${session.projectName}: ${STATE_WORDS[session.state]}`)}
        data-testid="session-row"
        data-session={session.id}
        data-state={session.state}
        onClick={() => {
          navigation.getState().go({ type: 'session', id: session.id, pane: 'work' });
        }}
      >
        <i className={cx(styles.dot, dotOf(session))} aria-hidden="true" />
        <span className={styles.name}>{title}</span>
        <span className="visually-hidden">{STATE_WORDS[session.state]}</span>
        {waiting > 0 ? (
          <span className={styles.badge} data-testid="question-count">
            {waiting}
            <span className="visually-hidden">
              {' '}
              {waiting === 1 ? 'question waits' : 'questions wait'}
            </span>
          </span>
        ) : session.alerts.length > 0 && !ended ? (
          <span className={styles.badge}>
            {session.alerts.length}
            <span className="visually-hidden"> alerts</span>
          </span>
        ) : (
          <Instant className={cx(styles.when, 'num')} at={at}>
            {ended ? formatWhen(at, now) : formatSpan(now - Date.parse(at))}
          </Instant>
        )}
        <small className={styles.words}>
          {ended && (
            <>
              <HostileText>{session.projectName}</HostileText>
              {' · '}
            </>
          )}
          <HostileText>{sessionWords(session)}</HostileText>
        </small>
      </button>
    </li>
  );
};

/** The list at the left: what runs by project, then what has ended. Folds to signs in a narrow window. */
export const Sidebar = (): ReactNode => {
  const { navigation } = useApp();
  const loaded = useAppStore('sessions', (state) => state.loaded);
  const byId = useAppStore('sessions', (state) => state.byId);
  const place = useAppStore('navigation', (state) => state.place);
  const now = useNow(5_000);
  const { live, ended } = groupSessions(byId);
  const current = place.type === 'session' ? place.id : undefined;
  const { go } = navigation.getState();
  const newKeys = useKeys('session.new');

  const step = (by: number): void => {
    const all = [...live.flatMap((group) => group.sessions), ...ended];
    const at = all.findIndex((session) => session.id === current);
    const next = all[(Math.max(at, by > 0 ? -1 : 0) + by + all.length) % all.length];
    if (next !== undefined) go({ type: 'session', id: next.id, pane: 'work' });
  };
  useAction('session.next', () => {
    step(1);
  });
  useAction('session.previous', () => {
    step(-1);
  });

  return (
    <aside className={styles.side} data-pane="sessions" aria-label="Sessions">
      <div className={styles.brand}>
        <Brand />
        <span>Glovebox</span>
      </div>
      <div className={styles.new}>
        <Button
          wide
          keys={newKeys.keys}
          aria-keyshortcuts={newKeys['aria-keyshortcuts']}
          aria-label="New session"
          data-testid="new-session"
          onClick={() => {
            go({ type: 'start' });
          }}
        >
          <span className={styles.newWords}>New session</span>
          <IconPlus size={15} className={styles.newSign} aria-hidden="true" />
        </Button>
      </div>
      <nav className={styles.list} aria-label="Sessions">
        {loaded && live.length === 0 && ended.length === 0 && (
          <p className={styles.none}>No session yet. Choose a project folder to begin.</p>
        )}
        {live.map((group) => (
          <section key={group.sessions[0]?.project}>
            <h2 className={styles.group}>
              <HostileText>{group.title}</HostileText>
            </h2>
            <ul>
              {group.sessions.map((session) => (
                <SessionRow
                  key={session.id}
                  session={session}
                  now={now}
                  current={session.id === current}
                />
              ))}
            </ul>
          </section>
        ))}
        {ended.length > 0 && (
          <section>
            <h2 className={styles.group}>Ended</h2>
            <ul>
              {ended.map((session) => (
                <SessionRow
                  key={session.id}
                  session={session}
                  now={now}
                  current={session.id === current}
                />
              ))}
            </ul>
          </section>
        )}
      </nav>
      <StatusFoot />
    </aside>
  );
};
