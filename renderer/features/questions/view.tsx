import { useEffect, useLayoutEffect, useRef, useState, type ReactNode } from 'react';
import {
  questionWords,
  type OpenQuestion,
  type QuestionId,
  type Reply,
  type SessionSummary,
} from '../../../app/contract/index.ts';
import { useApp } from '../../shell/app.ts';
import { plural } from '../../ui/format.ts';
import { escapeHostile } from '../../ui/hostile-text.tsx';
import { QuestionCard } from './card.tsx';
import { placeWords } from './words.ts';
import styles from './view.module.css';

/** Most questions shown whole; the rest is a number until these are answered. */
const MAX_SHOWN = 3;

const NONE: readonly OpenQuestion[] = [];

/** What waits for the user's answer in one session, oldest first, above its timeline. */
export const Questions = ({ session }: { readonly session: SessionSummary }): ReactNode => {
  const { sessions, toasts } = useApp();
  const open = session.questions ?? NONE;
  const [answered, setAnswered] = useState<ReadonlySet<QuestionId>>(new Set());
  const before = useRef(open);
  useEffect(() => {
    const gone = before.current.filter(({ id }) => !open.some((other) => other.id === id));
    before.current = open;
    for (const question of gone) {
      if (answered.has(question.id)) continue;
      const place = escapeHostile(placeWords(question));
      toasts.getState().tell(`The question about ${place} is over: it was not answered here`);
    }
  }, [open, answered, toasts]);

  const waiting = open.filter(({ id }) => !answered.has(id));
  const [newest] = waiting.slice(-1);
  const area = useRef<HTMLDivElement>(null);
  /** What had the focus before the questions got it. */
  const cameFrom = useRef<HTMLElement | undefined>(undefined);
  const moveOn = useRef(false);
  // The card that was answered is gone with the focus in it: on to the next one, or back.
  useLayoutEffect(() => {
    if (!moveOn.current) return;
    moveOn.current = false;
    const next = area.current?.querySelector<HTMLElement>('[data-question]') ?? cameFrom.current;
    next?.focus();
  });
  const reply = async (id: QuestionId, words: Reply): Promise<void> => {
    moveOn.current = area.current?.contains(document.activeElement) === true;
    setAnswered((was) => new Set(was).add(id));
    const taken = await sessions.getState().answer(session.id, id, words);
    if (taken) return;
    setAnswered((was) => new Set(Array.from(was).filter((other) => other !== id)));
  };
  return (
    <div
      ref={area}
      className={styles.questions}
      data-testid="questions"
      onFocus={({ currentTarget, relatedTarget }) => {
        if (!currentTarget.contains(relatedTarget) && relatedTarget instanceof HTMLElement)
          cameFrom.current = relatedTarget;
      }}
    >
      <p className="visually-hidden" role="alert">
        {newest === undefined ? '' : escapeHostile(questionWords(newest))}
      </p>
      {waiting.slice(0, MAX_SHOWN).map((question, index) => (
        <QuestionCard
          key={question.id}
          question={question}
          place={index}
          count={waiting.length}
          onReply={(words) => void reply(question.id, words)}
        />
      ))}
      {waiting.length > MAX_SHOWN && (
        <p className={styles.more}>
          {plural(waiting.length - MAX_SHOWN, 'more question')} behind these
        </p>
      )}
    </div>
  );
};
