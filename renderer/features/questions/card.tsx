import { useEffect, useState, type KeyboardEvent, type ReactNode } from 'react';
import { questionWords, type OpenQuestion, type Reply } from '../../../app/contract/index.ts';
import { Button } from '../../ui/button.tsx';
import { formatDuration } from '../../ui/format.ts';
import { HostileText } from '../../ui/hostile-text.tsx';
import { useNow } from '../../ui/use-now.ts';
import { programWords } from '../timeline/words.ts';
import styles from './card.module.css';
import { actWords, placeWords, sessionWords } from './words.ts';

/** How long a question has to stand before it takes an answer, in milliseconds: a click meant for what stood there before is none. */
export const ARMED_AFTER_MS = 500;

const REPLIES: Readonly<Record<'a' | 's' | 'd', Reply>> = {
  a: { verdict: 'allow', scope: 'once' },
  s: { verdict: 'allow', scope: 'session' },
  d: { verdict: 'deny', scope: 'once' },
};

const useArmed = (): boolean => {
  const [armed, setArmed] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      setArmed(true);
    }, ARMED_AFTER_MS);
    return () => {
      clearTimeout(timer);
    };
  }, []);
  return armed;
};

/** One open question: who wants what, with which credential, and the three answers. Never takes the focus by itself. */
export const QuestionCard = ({
  question,
  first,
  onReply,
}: {
  readonly question: OpenQuestion;
  readonly first: boolean;
  readonly onReply: (reply: Reply) => void;
}): ReactNode => {
  const armed = useArmed();
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
      {...(first ? { 'data-pane-focus': '' } : {})}
    >
      <p className={styles.title} id={title}>
        <span className={styles.sign} aria-hidden="true">
          ?
        </span>
        <span className="visually-hidden">{questionWords(question)} </span>
        <b>
          <HostileText>{placeWords(question)}</HostileText>
        </b>{' '}
        <span className="mono">
          <HostileText>{actWords(question)}</HostileText>
        </span>
      </p>
      {question.refs !== undefined && (
        <ul className={styles.refs} aria-label="What the push does">
          {question.refs.map((ref) => (
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
        nothing has left · refused in <span className="num">{formatDuration(left)}</span>
      </p>
      <div className={styles.answers}>
        <Button
          size="s"
          look="primary"
          keys="A"
          aria-keyshortcuts="a"
          disabled={!armed}
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
          disabled={!armed}
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
          disabled={!armed}
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
