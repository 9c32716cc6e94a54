import { useEffect, useState, type KeyboardEvent, type ReactNode } from 'react';
import { questionWords, type OpenQuestion, type Reply } from '../../../app/contract/index.ts';
import { useKeys } from '../../shell/shortcuts.ts';
import { Button } from '../../ui/button.tsx';
import { cx } from '../../ui/class-names.ts';
import { HostileText } from '../../ui/hostile-text.tsx';
import { Kbd } from '../../ui/kbd.tsx';
import { useNow } from '../../ui/use-now.ts';
import { programWords } from '../timeline/words.ts';
import styles from './card.module.css';
import { actWords, leftWords, placeWords, sessionWords } from './words.ts';

/** How long a question has to stand in its place before it takes an answer, in milliseconds: a click meant for what stood there before is none. */
export const ARMED_AFTER_MS = 500;
/** From here on a question is nearly over, in milliseconds, and says so louder. */
const SOON_MS = 15_000;
/** Longest act that stands beside the host; a longer one has lines of its own, and scrolls. */
const MAX_BESIDE_CHARS = 120;
/** Most refs that fit without scrolling where each has one line. */
const MAX_STILL_REFS = 3;

const REPLIES: Readonly<Record<'a' | 's' | 'd', Reply>> = {
  a: { verdict: 'allow', scope: 'once' },
  s: { verdict: 'allow', scope: 'session' },
  d: { verdict: 'deny', scope: 'once' },
};

/** Whether the question has stood at this place long enough; moving up begins it anew. */
const useArmed = (place: number): boolean => {
  const [armedAt, setArmedAt] = useState<number | undefined>();
  useEffect(() => {
    const timer = setTimeout(() => {
      setArmedAt(place);
    }, ARMED_AFTER_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [place]);
  return armedAt === place;
};

/** One open question: who wants what, with which credential, and the three answers. Never takes the focus by itself. */
export const QuestionCard = ({
  question,
  place,
  count,
  onReply,
}: {
  readonly question: OpenQuestion;
  /** How many stand above it. */
  readonly place: number;
  /** How many there are, with those that are not shown. */
  readonly count: number;
  readonly onReply: (reply: Reply) => void;
}): ReactNode => {
  const armed = useArmed(place);
  const { keys } = useKeys('pane.next');
  const now = useNow(1000);
  const left = Math.max(0, Math.ceil((Date.parse(question.endsAt) - now) / 1000)) * 1000;
  const reply = (which: keyof typeof REPLIES): void => {
    if (armed) onReply(REPLIES[which]);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
    const key = event.key.toLowerCase();
    if (key !== 'a' && key !== 's' && key !== 'd') return;
    event.preventDefault();
    event.stopPropagation();
    reply(key);
  };
  const title = `question-${question.id}`;
  const act = actWords(question);
  const beside = act.length <= MAX_BESIDE_CHARS;
  const refs = question.refs ?? [];
  const scrolls = refs.length > MAX_STILL_REFS || refs.join('').length > MAX_BESIDE_CHARS;
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- its keys are those of the buttons in it
    <div
      role="group"
      aria-labelledby={title}
      className={styles.card}
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- so that its keys can be had without choosing a button first
      tabIndex={0}
      onKeyDown={onKeyDown}
      data-testid="question"
      data-question={question.id}
      {...(place === 0 ? { 'data-pane-focus': '' } : {})}
    >
      <span className={styles.sign} aria-hidden="true">
        ?
      </span>
      <p className={styles.title} id={title}>
        <span className="visually-hidden">{questionWords(question)} </span>
        <b>
          <HostileText>{placeWords(question)}</HostileText>
        </b>
        {beside && (
          <>
            {' '}
            <span className="mono">
              <HostileText>{act}</HostileText>
            </span>
          </>
        )}
      </p>
      <span className={styles.place}>
        {count > 1 && `${String(place + 1)} of ${String(count)}`}
        {place === 0 && (
          <span className={styles.way} title="Goes to the next pane, and here to the question">
            <Kbd keys={keys} />
          </span>
        )}
      </span>
      {!beside && (
        <p
          className={cx('mono', styles.act)}
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls, and all of it can be read by keyboard
          tabIndex={0}
        >
          <HostileText>{act}</HostileText>
        </p>
      )}
      {refs.length > 0 && (
        <ul
          className={styles.refs}
          aria-label="What the push does"
          // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- where it scrolls, all of it can be read by keyboard
          {...(scrolls ? { tabIndex: 0 } : {})}
        >
          {refs.map((ref) => (
            <li key={ref} className="mono">
              <HostileText>{ref}</HostileText>
            </li>
          ))}
        </ul>
      )}
      <p className={styles.who}>
        <HostileText>{programWords(question.program)}</HostileText>
      </p>
      <p className={styles.who}>
        {question.credential !== undefined && (
          <>
            with <span className={styles.credential}>{question.credential}</span> ·{' '}
          </>
        )}
        nothing has left ·{' '}
        <span className={cx('num', left <= SOON_MS && styles.soon)}>{leftWords(left)}</span>
      </p>
      <div className={styles.answers}>
        <Button
          size="s"
          look="primary"
          keys="A"
          aria-keyshortcuts="a"
          aria-disabled={!armed}
          data-testid="allow-once"
          onClick={() => {
            reply('a');
          }}
        >
          Allow once
        </Button>
        <Button
          size="s"
          keys="D"
          aria-keyshortcuts="d"
          aria-disabled={!armed}
          data-testid="refuse"
          onClick={() => {
            reply('d');
          }}
        >
          Refuse
        </Button>
        <Button
          size="s"
          keys="S"
          aria-keyshortcuts="s"
          aria-disabled={!armed}
          title={`Until the session ends: ${sessionWords(question)}`}
          data-testid="allow-session"
          onClick={() => {
            reply('s');
          }}
        >
          Allow for this session
        </Button>
      </div>
      <p className={styles.reach}>
        For this session: <HostileText>{sessionWords(question)}</HostileText>.
      </p>
    </div>
  );
};
