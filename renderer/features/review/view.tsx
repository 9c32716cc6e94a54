import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useRef, useState, type ReactNode } from 'react';
import { useStore } from 'zustand';
import type { FileChange, SessionSummary } from '../../../app/contract/index.ts';
import { useApp } from '../../shell/app.ts';
import { useAction, useKeys } from '../../shell/shortcuts.ts';
import { Button } from '../../ui/button.tsx';
import { cx } from '../../ui/class-names.ts';
import { Confirm } from '../../ui/dialog.tsx';
import { formatBytes, formatCount, formatSpan, plural } from '../../ui/format.ts';
import { HostileText } from '../../ui/hostile-text.tsx';
import { PathText } from '../../ui/path-text.tsx';
import { IconReview } from '../../ui/icons.ts';
import { Empty, ProblemNotice, Waiting } from '../../ui/notice.tsx';
import { useNow } from '../../ui/use-now.ts';
import { ASSISTANT_TITLES } from '../../ui/words.ts';
import { hasEnded } from '../sessions/store.ts';
import type { TimelineStore } from '../timeline/store.ts';
import { totalsOf, type ReviewStore } from './store.ts';
import styles from './view.module.css';

const SIGNS: Readonly<Record<FileChange['change'], string>> = {
  added: '+',
  modified: '✎',
  deleted: '−',
  mode: '⚙',
  type: '⇄',
};
const WORDS: Readonly<Record<FileChange['change'], string>> = {
  added: 'added',
  modified: 'modified',
  deleted: 'deleted',
  mode: 'mode changed',
  type: 'kind changed',
};

const ROW_PX = 32;
const NOTE_PX = 18;

const notesOf = (
  change: FileChange,
): readonly { readonly tone: 'run' | 'held' | 'conflict'; readonly text: string }[] => [
  ...(change.heldBack === undefined
    ? []
    : [{ tone: 'held' as const, text: `Held back: ${change.heldBack}` }]),
  ...(change.wouldRun === undefined
    ? []
    : [{ tone: 'run' as const, text: `Would run on your machine: ${change.wouldRun}` }]),
  ...(change.conflict === true
    ? [{ tone: 'conflict' as const, text: 'Your file changed too since the session began' }]
    : []),
];

/** Above this, a status says which signal ended the program. */
const SIGNAL_STATUS = 128;

const endWords = (exitCode: number | undefined): string => {
  if (exitCode === undefined) return '';
  return exitCode > SIGNAL_STATUS
    ? ` until it was ended (signal ${exitCode - SIGNAL_STATUS})`
    : ` and ended with status ${exitCode}`;
};

const ChangeRow = ({ change }: { readonly change: FileChange }): ReactNode => (
  <>
    <span className={cx(styles.sign, styles[change.change])} aria-hidden="true">
      {SIGNS[change.change]}
    </span>
    <span className={styles.path}>
      <PathText path={change.path} />
      {change.type !== 'file' && <span className={cx('mono', styles.kind)}>{change.type}</span>}
    </span>
    <span className={styles.word}>{WORDS[change.change]}</span>
    <span className={styles.lines}>
      {(change.added ?? 0) > 0 && (
        <span className={styles.plus}>+{formatCount(change.added ?? 0)}</span>
      )}
      {(change.removed ?? 0) > 0 && (
        <span className={styles.minus}>−{formatCount(change.removed ?? 0)}</span>
      )}
      {change.added === undefined && change.removed === undefined && change.bytes !== undefined && (
        <span className={styles.bytes}>{formatBytes(change.bytes)}</span>
      )}
    </span>
    {notesOf(change).map((note) => (
      <span key={note.tone} className={cx(styles.note, styles[note.tone])}>
        <HostileText>{note.text}</HostileText>
      </span>
    ))}
  </>
);

const ChangeList = ({ changes }: { readonly changes: readonly FileChange[] }): ReactNode => {
  const list = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: changes.length,
    getScrollElement: () => list.current,
    estimateSize: (index) => {
      const change = changes[index];
      const notes = change === undefined ? 0 : notesOf(change).length;
      return ROW_PX + notes * NOTE_PX;
    },
    getItemKey: (index) => changes[index]?.path ?? index,
    overscan: 12,
  });
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a scrolled list must be reachable by key
    <div ref={list} className={styles.list} tabIndex={0} role="list" aria-label="Changed files">
      <div className={styles.canvas} role="presentation" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => {
          const change = changes[item.index];
          if (change === undefined) return null;
          return (
            <div
              key={item.key}
              role="listitem"
              className={styles.row}
              style={{ height: item.size, transform: `translateY(${item.start}px)` }}
              data-testid="change-row"
              data-path={change.path}
              data-change={change.change}
            >
              <ChangeRow change={change} />
            </div>
          );
        })}
      </div>
    </div>
  );
};

/** Whether the record of the session is as it was written. */
const Verify = ({ store }: { readonly store: TimelineStore }): ReactNode => {
  const check = useStore(store, (state) => state.check);
  const checking = useStore(store, (state) => state.checking);
  const keys = useKeys('timeline.verify');
  return (
    <div className={styles.verify}>
      {check !== undefined && (
        <span
          role="status"
          className={check.intact ? styles.intact : styles.broken}
          data-testid="verify-result"
          data-intact={check.intact}
        >
          <span aria-hidden="true">{check.intact ? '✓' : '✕'}</span>{' '}
          {check.intact
            ? `Timeline intact, ${plural(check.events, 'event')}`
            : `Timeline changed after it was written${check.brokenAt === undefined ? '' : `, from event ${check.brokenAt}`}`}
        </span>
      )}
      <Button
        size="s"
        look="ghost"
        keys={keys.keys}
        busy={checking}
        data-testid="verify-timeline"
        onClick={() => void store.getState().verify()}
      >
        Verify timeline
      </Button>
    </div>
  );
};

/** What a session changed, to be taken or thrown away. */
export const ReviewView = ({
  session,
  store,
  timeline,
}: {
  readonly session: SessionSummary;
  readonly store: ReviewStore;
  readonly timeline: TimelineStore;
}): ReactNode => {
  const { navigation, sessions } = useApp();
  const set = useStore(store, (state) => state.set);
  const loading = useStore(store, (state) => state.loading);
  const problem = useStore(store, (state) => state.problem);
  const busy = useStore(store, (state) => state.busy);
  const report = useStore(store, (state) => state.report);
  const [asking, setAsking] = useState<'accept' | 'discard' | 'forget' | undefined>();
  const [onlyMarked, setOnlyMarked] = useState(false);
  const acceptKeys = useKeys('review.accept');
  const discardKeys = useKeys('review.discard');
  const forgetKeys = useKeys('review.forget');
  const { state } = session;
  useEffect(() => {
    if (state !== 'starting') void store.getState().load();
  }, [store, state]);

  const changes = set?.changes ?? [];
  const totals = totalsOf(changes);
  const ended = hasEnded(session);
  const decidable = ended && changes.length > 0 && busy === undefined;
  useAction(
    'review.accept',
    () => {
      setAsking('accept');
    },
    decidable,
  );
  useAction(
    'review.discard',
    () => {
      setAsking('discard');
    },
    decidable,
  );
  const forgettable = ended && set !== undefined && changes.length === 0;
  useAction(
    'review.forget',
    () => {
      setAsking('forget');
    },
    forgettable,
  );
  const close = (): void => {
    setAsking(undefined);
  };
  const marked = changes.filter((change) => notesOf(change).length > 0);
  const shown = onlyMarked ? marked : changes;
  const now = useNow(60_000);
  const end = session.endedAt === undefined ? now : Date.parse(session.endedAt);
  const took = formatSpan(end - Date.parse(session.startedAt));

  return (
    <div className={styles.review} data-testid="review">
      <header className={styles.head}>
        <div className={styles.headWords}>
          <h2 className={styles.title}>
            {ended ? `${ASSISTANT_TITLES[session.assistant]} has ended` : 'Changes so far'}
          </h2>
          <p className={styles.sub}>
            {ended
              ? `It ran for ${took}${endWords(session.exitCode)}. `
              : 'Stop the session to take its changes: the assistant is still at work. '}
            {changes.length > 0 &&
              session.workspace !== 'live' &&
              'Nothing is in your folder until you accept it.'}
          </p>
        </div>
        <Verify store={timeline} />
      </header>
      {session.problem !== undefined && (
        <div className={styles.notice}>
          <ProblemNotice problem={session.problem} look="ask" />
        </div>
      )}
      {problem !== undefined && (
        <div className={styles.notice}>
          <ProblemNotice
            tried="The changes could not be read"
            problem={problem}
            action={
              <Button size="s" busy={loading} onClick={() => void store.getState().load()}>
                Try again
              </Button>
            }
          />
        </div>
      )}
      {report !== undefined && (
        <div className={styles.notice}>
          <p className={styles.done} role="status" data-testid="accept-report">
            {plural(report.applied, 'change')} taken into your folder
            {report.heldBack.length > 0 &&
              `; ${report.heldBack.length} held back, because they would run on your machine`}
            .
          </p>
        </div>
      )}
      {set === undefined && problem === undefined && (
        <div className={styles.notice}>
          <Waiting>Comparing the working copy with your folder</Waiting>
        </div>
      )}
      {set !== undefined && changes.length === 0 && (
        <Empty
          icon={<IconReview size={22} />}
          title={report === undefined ? 'No changes' : 'Nothing left to decide'}
          testId="review-empty"
          action={
            forgettable && (
              <Button
                keys={forgetKeys.keys}
                data-testid="forget-session"
                onClick={() => {
                  setAsking('forget');
                }}
              >
                Forget this session
              </Button>
            )
          }
        >
          {ended
            ? 'Your folder is as you left it, or as you took it. The timeline stays until you forget the session.'
            : 'The assistant has not written a file yet.'}
        </Empty>
      )}
      {changes.length > 0 && (
        <>
          <div className={styles.totals}>
            <span>
              <b>{plural(changes.length, 'file')}</b>{' '}
              <span className={styles.plus}>+{formatCount(totals.added)}</span>{' '}
              {totals.removed > 0 && (
                <span className={styles.minus}>−{formatCount(totals.removed)}</span>
              )}
              {set?.cut === true && ' · the list is cut here, there are more'}
            </span>
            {marked.length > 0 && (
              <button
                type="button"
                className={styles.filter}
                aria-pressed={onlyMarked}
                onClick={() => {
                  setOnlyMarked(!onlyMarked);
                }}
              >
                {plural(marked.length, 'file')} to look at
              </button>
            )}
          </div>
          <ChangeList changes={shown} />
          {ended && (
            <div className={styles.actions}>
              <Button
                look="primary"
                keys={acceptKeys.keys}
                aria-keyshortcuts={acceptKeys['aria-keyshortcuts']}
                aria-label="Accept all"
                busy={busy === 'accept'}
                disabled={busy !== undefined}
                data-testid="accept-all"
                onClick={() => {
                  setAsking('accept');
                }}
              >
                Accept all
              </Button>
              <Button
                look="danger"
                keys={discardKeys.keys}
                aria-keyshortcuts={discardKeys['aria-keyshortcuts']}
                aria-label="Discard all"
                busy={busy === 'discard'}
                disabled={busy !== undefined}
                data-testid="discard-all"
                onClick={() => {
                  setAsking('discard');
                }}
              >
                Discard all
              </Button>
              <span className={styles.actionHint}>
                {totals.heldBack > 0
                  ? `${plural(totals.heldBack, 'change')} held back, because of what would run on your machine.`
                  : 'Kept until you decide.'}
              </span>
            </div>
          )}
        </>
      )}
      <Confirm
        open={asking === 'accept'}
        onClose={close}
        title={
          <>
            Take {plural(changes.length - totals.heldBack, 'change')} into{' '}
            <HostileText>{session.projectName}</HostileText>
          </>
        }
        description={
          <>
            Files in <HostileText>{session.project}</HostileText> are written, replaced and deleted
            as listed.
            {totals.heldBack > 0 && ` ${totals.heldBack} held back.`}
            {totals.conflicts > 0 &&
              ` ${plural(totals.conflicts, 'file')} of yours changed meanwhile and would be in the way.`}
          </>
        }
        testId="confirm-accept"
        actions={
          <>
            <Button onClick={close}>Not yet</Button>
            <Button
              look="primary"
              data-testid="confirm-accept-yes"
              onClick={() => {
                close();
                void store.getState().accept();
              }}
            >
              Accept all
            </Button>
          </>
        }
      />
      <Confirm
        open={asking === 'discard'}
        onClose={close}
        title={
          <>
            Discard {plural(changes.length, 'change')} to{' '}
            <HostileText>{session.projectName}</HostileText>
          </>
        }
        description="What the assistant wrote is deleted and cannot be brought back. Your folder stays as it is."
        testId="confirm-discard"
        actions={
          <>
            <Button onClick={close}>Keep them</Button>
            <Button
              look="danger-solid"
              data-testid="confirm-discard-yes"
              onClick={() => {
                close();
                void store.getState().discard();
              }}
            >
              Discard all
            </Button>
          </>
        }
      />
      <Confirm
        open={asking === 'forget'}
        onClose={close}
        title={
          <>
            Forget this session in <HostileText>{session.projectName}</HostileText>
          </>
        }
        description="Its record and its timeline are deleted and cannot be brought back."
        testId="confirm-forget"
        actions={
          <>
            <Button onClick={close}>Keep it</Button>
            <Button
              look="danger-solid"
              data-testid="confirm-forget-yes"
              onClick={() => {
                close();
                void sessions
                  .getState()
                  .forget(session.id)
                  .then((gone) => {
                    if (gone) navigation.getState().go({ type: 'start' });
                  });
              }}
            >
              Forget session
            </Button>
          </>
        }
      />
    </div>
  );
};
