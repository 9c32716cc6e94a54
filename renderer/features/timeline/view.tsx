import { useMemo, useRef, type ReactNode } from 'react';
import { useStore } from 'zustand';
import {
  TIMELINE_VIEWS,
  type SessionSummary,
  type TimelineView as ViewName,
} from '../../../app/contract/index.ts';
import { useAction, useKeys } from '../../shell/shortcuts.ts';
import { formatCount, formatShortCount } from '../../ui/format.ts';
import { Button } from '../../ui/button.tsx';
import { Empty, ProblemNotice, Waiting } from '../../ui/notice.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { hasEnded } from '../sessions/store.ts';
import { matchesFilter } from './match.ts';
import { Details } from './parts/details.tsx';
import { FilterInput } from './parts/filter-input.tsx';
import { OpenRequests } from './parts/open-requests.tsx';
import { Overview } from './parts/overview.tsx';
import { Rows } from './parts/rows.tsx';
import type { TimelineStore } from './store.ts';
import styles from './view.module.css';

const TITLES: Readonly<Record<ViewName, string>> = {
  all: 'All',
  egress: 'Egress',
  files: 'Files',
  credentials: 'Credentials',
  blocked: 'Blocked',
};

const EMPTY: Readonly<Record<ViewName, string>> = {
  all: 'Every request, file touch and credential use will stand here, newest first.',
  egress: 'No request has tried to leave yet.',
  files: 'No file has been touched yet.',
  credentials: 'No credential has been used yet.',
  blocked: 'Nothing has been refused.',
};

/** Everything that crossed the wall, newest first. */
export const TimelineView = ({
  store,
  session,
}: {
  readonly store: TimelineStore;
  readonly session: SessionSummary;
}): ReactNode => {
  const filter = useStore(store, (state) => state.filter);
  const counts = useStore(store, (state) => state.counts);
  const problem = useStore(store, (state) => state.problem);
  const loading = useStore(store, (state) => state.loading);
  const empty = useStore(store, (state) => state.rows.length === 0);
  const allOpen = useStore(store, (state) => state.open);
  const open = useMemo(
    () => allOpen.filter((draft) => matchesFilter(draft, filter)),
    [allOpen, filter],
  );
  const { setView, setText, jumpToNewest, verify } = store.getState();
  const input = useRef<HTMLInputElement>(null);
  const filterKeys = useKeys('timeline.filter');
  useAction('timeline.all', () => {
    setView('all');
  });
  useAction('timeline.egress', () => {
    setView('egress');
  });
  useAction('timeline.files', () => {
    setView('files');
  });
  useAction('timeline.credentials', () => {
    setView('credentials');
  });
  useAction('timeline.blocked', () => {
    setView('blocked');
  });
  useAction('timeline.filter', () => input.current?.focus());
  useAction('timeline.newest', jumpToNewest);
  useAction('timeline.verify', () => void verify());

  return (
    <>
      <div className={styles.tabs} data-testid="timeline-views">
        <Segmented<ViewName>
          label="What the timeline shows"
          look="quiet"
          value={filter.view}
          onChange={setView}
          segments={TIMELINE_VIEWS.map((view) => ({
            value: view,
            testId: `timeline-view-${view}`,
            title: `${TITLES[view]}: ${formatCount(counts[view])}`,
            label: (
              <>
                {TITLES[view]}{' '}
                <span
                  className={
                    view === 'blocked' && counts.blocked > 0 ? styles.blocked : styles.count
                  }
                  data-testid={`timeline-count-${view}`}
                >
                  {formatShortCount(counts[view])}
                </span>
              </>
            ),
          }))}
        />
      </div>
      <Overview store={store} ended={hasEnded(session)} />
      <FilterInput
        inputRef={input}
        text={filter.text}
        keys={filterKeys.keys}
        shortcut={filterKeys['aria-keyshortcuts']}
        onChange={setText}
      />
      <div className={styles.body}>
        {problem !== undefined && (
          <div className={styles.notice}>
            <ProblemNotice tried="The timeline could not be read" problem={problem} />
          </div>
        )}
        {open.length > 0 && <OpenRequests open={open} />}
        {empty && loading && (
          <div className={styles.notice}>
            <Waiting>Reading the timeline</Waiting>
          </div>
        )}
        {empty && !loading && problem === undefined && open.length === 0 && (
          <Empty
            title={filter.text === '' ? 'Nothing here yet' : 'Nothing fits the filter'}
            testId="timeline-empty"
            action={
              filter.text !== '' && (
                <Button
                  size="s"
                  onClick={() => {
                    setText('');
                  }}
                >
                  Clear the filter
                </Button>
              )
            }
          >
            {filter.text === ''
              ? EMPTY[filter.view]
              : 'All words of the filter must occur in an event.'}
          </Empty>
        )}
        {!empty && <Rows store={store} project={session.project} />}
        <Details store={store} project={session.project} />
      </div>
    </>
  );
};
