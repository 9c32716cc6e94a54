import type { ReactNode } from 'react';
import { START_STEPS, type SessionSummary } from '../../../../app/contract/index.ts';
import { useApp } from '../../../shell/app.ts';
import { Button } from '../../../ui/button.tsx';
import { cx } from '../../../ui/class-names.ts';
import { formatSpan } from '../../../ui/format.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { ProblemNotice } from '../../../ui/notice.tsx';
import { useNow } from '../../../ui/use-now.ts';
import { ASSISTANT_TITLES, STEP_TITLES } from '../../../ui/words.ts';
import styles from './stages.module.css';

/** The way to a running session, step by step. */
export const Starting = ({ session }: { readonly session: SessionSummary }): ReactNode => {
  const now = useNow(1000);
  const { progress } = session;
  const at = progress === undefined ? 0 : START_STEPS.indexOf(progress.step);
  return (
    <div className={styles.stage} data-testid="session-starting">
      <div className={styles.sheet}>
        <h2 className={styles.title}>Starting {ASSISTANT_TITLES[session.assistant]}</h2>
        <p className={styles.sub}>
          Nothing runs until the gateway and the guard both watch. Stopping now leaves nothing
          behind.
        </p>
        <ol className={styles.steps}>
          {START_STEPS.map((step, index) => (
            <li
              key={step}
              className={cx(styles.step, index < at && styles.done, index === at && styles.now)}
              aria-current={index === at ? 'step' : undefined}
            >
              <span className={styles.sign} aria-hidden="true">
                {index < at ? '✓' : ''}
              </span>
              <span>
                {STEP_TITLES[step]}
                {index === at && progress !== undefined && (
                  <small className={styles.message} role="status" data-testid="start-message">
                    <HostileText>{progress.message}</HostileText>
                  </small>
                )}
                {index === at && progress?.fraction !== undefined && (
                  <progress
                    className={styles.bar}
                    aria-label={STEP_TITLES[step]}
                    value={progress.fraction}
                    max={1}
                  />
                )}
              </span>
            </li>
          ))}
        </ol>
        <p className={styles.sub}>{formatSpan(now - Date.parse(session.startedAt))} so far</p>
      </div>
    </div>
  );
};

/** A session that did not come up, or that ended for a reason it did not choose. */
export const Failed = ({ session }: { readonly session: SessionSummary }): ReactNode => {
  const { navigation, start } = useApp();
  const problem = session.problem ?? {
    code: 'session.failed' as const,
    message: 'The session could not be started.',
  };
  const changed = session.changed ?? 0;
  return (
    <div className={styles.stage} data-testid="session-failed">
      <div className={styles.sheet}>
        <h2 className={styles.title}>{ASSISTANT_TITLES[session.assistant]} did not come up</h2>
        <ProblemNotice problem={problem} />
        <p className={styles.sub}>
          Nothing of it is left running
          {session.workspace === 'live' ? '.' : ', and nothing in your folder was changed.'} The
          timeline beside this shows how far it came.
        </p>
        <div className={styles.actions}>
          <Button
            look="primary"
            data-testid="start-again"
            onClick={() => {
              start.getState().edit({ assistant: session.assistant, workspace: session.workspace });
              void start.getState().choose(session.project);
              navigation.getState().go({ type: 'start' });
            }}
          >
            Start again
          </Button>
          {changed > 0 && (
            <Button
              onClick={() => {
                navigation.getState().go({ type: 'session', id: session.id, pane: 'review' });
              }}
            >
              Review what it changed
            </Button>
          )}
        </div>
      </div>
    </div>
  );
};
