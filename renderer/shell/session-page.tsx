import { useEffect, useState, type ReactNode } from 'react';
import type { SessionId, SessionSummary } from '../../app/contract/index.ts';
import { createScope } from '../../app/kit/index.ts';
import { Questions } from '../features/questions/view.tsx';
import { ReviewBar } from '../features/review/parts/bar.tsx';
import { ReviewView } from '../features/review/view.tsx';
import { SessionHeader } from '../features/sessions/parts/header.tsx';
import { Failed, Starting } from '../features/sessions/parts/stages.tsx';
import { hasEnded } from '../features/sessions/store.ts';
import { TerminalView } from '../features/terminal/view.tsx';
import { TimelineView } from '../features/timeline/view.tsx';
import { Empty, Waiting } from '../ui/notice.tsx';
import { useApp, useAppStore, type OpenSession } from './app.ts';
import { ErrorBoundary } from './error-boundary.tsx';
import styles from './session-page.module.css';
import { useAction } from './shortcuts.ts';

const useOpenSession = (id: SessionId): OpenSession | undefined => {
  const app = useApp();
  const [open, setOpen] = useState<OpenSession | undefined>();
  useEffect(() => {
    const scope = createScope(`session ${id}`);
    // The stores own subscriptions, so they begin and end with the effect, not with a render.
    // oxlint-disable-next-line react/set-state-in-effect
    setOpen(app.openSession(id, scope));
    return () => {
      void scope.close();
    };
  }, [app, id]);
  return open?.id === id ? open : undefined;
};

const Work = ({
  session,
  pane,
  open,
}: {
  readonly session: SessionSummary;
  readonly pane: 'work' | 'review';
  readonly open: OpenSession;
}): ReactNode => {
  if (session.state === 'failed' && pane === 'work') return <Failed session={session} />;
  if (session.state === 'starting' && session.terminals.length === 0) {
    return <Starting session={session} />;
  }
  const reviewing = pane === 'review' || hasEnded(session);
  return (
    <>
      {!hasEnded(session) && (
        // Kept while the review is open, so that coming back finds the terminal as it was.
        <div className={styles.fill} hidden={reviewing}>
          <TerminalView session={session} shown={!reviewing} />
        </div>
      )}
      {reviewing && (
        <div className={styles.fill}>
          <ReviewView session={session} store={open.review} timeline={open.timeline} />
        </div>
      )}
    </>
  );
};

/** One session: its header, the work, the timeline beside it, and what it changed at the foot. */
export const SessionPage = ({
  id,
  pane,
}: {
  readonly id: SessionId;
  readonly pane: 'work' | 'review';
}): ReactNode => {
  const { navigation } = useApp();
  const session = useAppStore('sessions', (state) => state.byId.get(id));
  const loaded = useAppStore('sessions', (state) => state.loaded);
  const open = useOpenSession(id);
  useAction('review.open', () => {
    navigation.getState().go({ type: 'session', id, pane: pane === 'review' ? 'work' : 'review' });
  });

  if (session === undefined || open === undefined) {
    return loaded && session === undefined ? (
      <Empty title="This session is gone" testId="session-gone">
        It was forgotten, or it belongs to another Glovebox folder.
      </Empty>
    ) : (
      <div className={styles.waiting}>
        <Waiting>Opening the session</Waiting>
      </div>
    );
  }
  return (
    <div className={styles.session} data-testid="session-page" data-state={session.state}>
      <SessionHeader session={session} />
      <section className={styles.work} data-pane="work" aria-label="Work">
        <ErrorBoundary what="The work pane">
          <Work session={session} pane={pane} open={open} />
        </ErrorBoundary>
      </section>
      <section className={styles.timeline} data-pane="timeline" aria-label="Timeline">
        <ErrorBoundary what="The questions">
          <Questions session={session} />
        </ErrorBoundary>
        <ErrorBoundary what="The timeline">
          <TimelineView store={open.timeline} session={session} />
        </ErrorBoundary>
      </section>
      <ReviewBar session={session} store={open.review} pane={pane} />
    </div>
  );
};
