import { useEffect, type ReactNode } from 'react';
import { useStore } from 'zustand';
import type { SessionSummary } from '../../../../app/contract/index.ts';
import { useApp } from '../../../shell/app.ts';
import { useKeys } from '../../../shell/shortcuts.ts';
import { Button } from '../../../ui/button.tsx';
import { formatCount, plural } from '../../../ui/format.ts';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { hasEnded } from '../../sessions/store.ts';
import { totalsOf, type ReviewStore } from '../store.ts';
import styles from './bar.module.css';

/** How long a running session's changes rest before they are counted again. */
const COUNT_PAUSE_MS = 4_000;

/** The foot of a session: what it changed, what of that would run on this machine, and the way to review it. */
export const ReviewBar = ({
  session,
  store,
  pane,
}: {
  readonly session: SessionSummary;
  readonly store: ReviewStore;
  readonly pane: 'work' | 'review';
}): ReactNode => {
  const { navigation } = useApp();
  const set = useStore(store, (state) => state.set);
  const keys = useKeys('review.open');
  const { changed, state } = session;
  const ended = hasEnded(session);
  useEffect(() => {
    if (state === 'starting' || (changed ?? 0) === 0) return undefined;
    // The first count comes at once; while it runs, later ones wait until the changes rest.
    const pause = store.getState().set === undefined || ended ? 0 : COUNT_PAUSE_MS;
    const timer = setTimeout(() => void store.getState().load(), pause);
    return () => {
      clearTimeout(timer);
    };
  }, [store, changed, state, ended]);

  const totals = totalsOf(set?.changes ?? []);
  const files = set === undefined ? (changed ?? 0) : totals.files;
  const [first] = totals.wouldRun;
  const reviewing = pane === 'review' || (ended && state !== 'failed');
  return (
    <footer className={styles.bar} data-testid="review-bar" aria-label="Changes">
      <b className={styles.files} data-testid="changed-files">
        {files === 0 ? 'No files changed' : `${plural(files, 'file')} changed`}
      </b>
      {(totals.added > 0 || totals.removed > 0) && (
        <span className={styles.lines}>
          <span className={styles.added}>+{formatCount(totals.added)}</span>{' '}
          {totals.removed > 0 && (
            <span className={styles.removed}>−{formatCount(totals.removed)}</span>
          )}
        </span>
      )}
      {first !== undefined && (
        <span
          className={styles.run}
          title={escapeHostile(`${first.path}: ${first.wouldRun ?? ''}`)}
        >
          {formatCount(totals.wouldRun.length)} would run on your machine:{' '}
          <HostileText>{first.path}</HostileText>
        </span>
      )}
      <span className={styles.space} />
      {session.workspace === 'live' ? (
        <span className={styles.live}>Edits go straight into your folder</span>
      ) : (
        state !== 'closed' && <span className={styles.untouched}>Host project untouched</span>
      )}
      {!(ended && reviewing) && (
        <Button
          size="s"
          keys={keys.keys}
          aria-keyshortcuts={keys['aria-keyshortcuts']}
          aria-label={reviewing ? 'Back to the terminal' : 'Review'}
          disabled={state === 'starting'}
          data-testid="open-review"
          onClick={() => {
            navigation
              .getState()
              .go({ type: 'session', id: session.id, pane: reviewing ? 'work' : 'review' });
          }}
        >
          {reviewing ? 'Back to the terminal' : 'Review'}
        </Button>
      )}
    </footer>
  );
};
