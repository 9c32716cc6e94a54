import { useState, type ReactNode } from 'react';
import type { SessionSummary } from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { useAction, useKeys } from '../../../shell/shortcuts.ts';
import { Button } from '../../../ui/button.tsx';
import { Confirm } from '../../../ui/dialog.tsx';
import { formatSpan, formatWhen } from '../../../ui/format.ts';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { IconKey, IconLayers, IconStop, IconWarning } from '../../../ui/icons.ts';
import { Instant } from '../../../ui/instant.tsx';
import { useNow } from '../../../ui/use-now.ts';
import { hostWords, sessionTitle } from '../../../ui/words.ts';
import { hasEnded } from '../store.ts';
import styles from './header.module.css';
import { NetworkPill } from './network-pill.tsx';

/** A grant in whole: what it is for, and what narrows it. */
const grantWords = ({
  credential,
  hosts,
  methods = [],
  paths = [],
  sites = [],
}: SessionSummary['grants'][number]): string =>
  `${credential}: ${[hosts, methods, paths, sites]
    .filter((list) => list.length > 0)
    .map((list) => list.join(', '))
    .join(' · ')}`;

const WORKSPACE_HINTS = {
  overlay: 'Changes stay apart until you take them',
  clone: 'A clone on its own branch',
  live: 'Edits appear in your folder at once',
} as const;

/** What this session is, what it may use, when it ends, and how to stop it. */
export const SessionHeader = ({ session }: { readonly session: SessionSummary }): ReactNode => {
  const { sessions } = useApp();
  const stopping = useAppStore('sessions', (state) => state.stopping.has(session.id));
  const [asking, setAsking] = useState(false);
  const now = useNow(5_000);
  const stopKeys = useKeys('session.stop');
  const ended = hasEnded(session);
  const endedAt = session.endedAt ?? session.startedAt;
  const title = sessionTitle(session);
  const canStop = !ended && session.state !== 'stopping' && session.owned;
  useAction(
    'session.stop',
    () => {
      setAsking(true);
    },
    canStop,
  );
  const stop = (): void => {
    setAsking(false);
    void sessions.getState().stop(session.id);
  };

  return (
    <header className={styles.header}>
      <h1
        className={styles.project}
        data-testid="session-project"
        title={escapeHostile(session.project)}
      >
        <HostileText>{session.projectName}</HostileText>
      </h1>
      {title !== '' && (
        <span className={styles.title} title={escapeHostile(title)}>
          <HostileText>{title}</HostileText>
        </span>
      )}
      <span
        className={styles.pill}
        data-look={session.workspace}
        title={WORKSPACE_HINTS[session.workspace]}
      >
        <IconLayers size={12} aria-hidden="true" />
        {session.workspace}
      </span>
      <NetworkPill network={session.network} gitAsks={session.gitAsks} />
      <ul className={styles.grants} aria-label="Credentials of this session">
        {session.grants.map((grant) => (
          <li
            key={grant.credential}
            className={styles.grant}
            data-testid="grant"
            title={escapeHostile(grantWords(grant))}
          >
            <IconKey size={11} aria-hidden="true" />
            <span className={styles.name}>{grant.credential}</span>
            <span className={styles.hosts}>
              <HostileText>{hostWords(grant.hosts[0] ?? '')}</HostileText>
              {grant.hosts.length > 1 && ` +${grant.hosts.length - 1}`}
            </span>
          </li>
        ))}
      </ul>
      <span className={styles.space} />
      {session.alerts[0] !== undefined && !ended && (
        <span
          className={styles.alert}
          role="status"
          data-testid="session-alert"
          title={escapeHostile(session.alerts.map((alert) => alert.message).join('\n'))}
        >
          <IconWarning size={13} aria-hidden="true" />
          <HostileText>{session.alerts[0].message}</HostileText>
        </span>
      )}
      {!session.owned && !ended && (
        <span
          className={styles.when}
          title="It runs in another process, a glovebox run in some terminal"
        >
          runs elsewhere
        </span>
      )}
      {!ended && session.endsAt !== undefined && (
        <span className={styles.when} data-testid="ends-in">
          ends in{' '}
          <Instant at={session.endsAt}>{formatSpan(Date.parse(session.endsAt) - now)}</Instant>
        </span>
      )}
      {ended && (
        <span className={styles.when} data-testid="ended">
          ended <Instant at={endedAt}>{formatWhen(endedAt, now)}</Instant>
          {session.exitCode !== undefined && ` · status ${session.exitCode}`}
        </span>
      )}
      {!ended && (
        <Button
          keys={stopKeys.keys}
          aria-keyshortcuts={stopKeys['aria-keyshortcuts']}
          aria-label="Stop"
          busy={stopping || session.state === 'stopping'}
          disabled={!canStop}
          data-testid="stop-session"
          onClick={() => {
            setAsking(true);
          }}
        >
          <IconStop size={12} aria-hidden="true" />
          {session.state === 'stopping' ? 'Stopping' : 'Stop'}
        </Button>
      )}
      <Confirm
        open={asking}
        onClose={() => {
          setAsking(false);
        }}
        title={
          <>
            Stop the session in <HostileText>{session.projectName}</HostileText>
          </>
        }
        description={
          session.workspace === 'live'
            ? 'Everything that runs in it ends. Its edits are in your folder already.'
            : 'Everything that runs in it ends. Its changes are kept for review, and your folder stays as it is.'
        }
        testId="confirm-stop"
        actions={
          <>
            <Button
              onClick={() => {
                setAsking(false);
              }}
            >
              Keep it running
            </Button>
            <Button look="primary" data-testid="confirm-stop-yes" onClick={stop}>
              Stop session
            </Button>
          </>
        }
      />
    </header>
  );
};
