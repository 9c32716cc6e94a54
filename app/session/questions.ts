import type { Answer, Ask } from '../broker/port.ts';
import {
  ANSWER_WAIT_MS,
  MAX_OPEN_QUESTIONS,
  questionWords,
  type ApprovalDraft,
  type Code,
  type OpenQuestion,
  type QuestionId,
  type Reply,
} from '../contract/index.ts';
import { fail, isoTime, ok, type Clock, type Failure, type Result } from '../kit/index.ts';

/** The open questions of one session, from its broker to a person and back. */
export type Questions = {
  readonly ask: Ask;
  readonly list: () => readonly OpenQuestion[];
  /** `ask.gone` where it is not open any more. */
  readonly answer: (id: QuestionId, reply: Reply) => Result<void, Failure<Code>>;
  /** Nobody is there any more: what is open is answered so. */
  readonly abandon: () => void;
};

export type QuestionsDeps = {
  readonly clock: Clock;
  /** Whether a person is there to answer. */
  readonly attended: () => boolean;
  readonly record: (draft: ApprovalDraft) => void;
  /** The open questions have changed. */
  readonly onChange: (open: readonly OpenQuestion[]) => void;
};

export const createQuestions = (deps: QuestionsDeps): Questions => {
  const { clock, attended, record, onChange } = deps;
  type Open = { readonly question: OpenQuestion; readonly end: (answer: Answer) => void };
  const open = new Map<QuestionId, Open>();
  const list = (): OpenQuestion[] => Array.from(open.values(), ({ question }) => question);

  const write = (question: OpenQuestion, { answer, scope }: Answer, durationMs: number): void => {
    const { id, scheme: _scheme, at: _at, endsAt: _endsAt, ...facts } = question;
    const byPerson = answer === 'allowed' || answer === 'denied';
    record({
      kind: 'approval',
      at: isoTime(clock.now()),
      id,
      question: questionWords(question),
      ...facts,
      answer,
      ...(byPerson ? { scope } : {}),
      durationMs,
    });
  };

  return {
    ask: (id, asked, signal) => {
      const now = clock.now();
      const started = clock.monotonic();
      const question: OpenQuestion = {
        ...asked,
        id,
        at: isoTime(now),
        endsAt: isoTime(now + ANSWER_WAIT_MS),
      };
      // The process keeps the same bound; one that does not is not believed.
      const refused = !attended() || open.size >= MAX_OPEN_QUESTIONS || open.has(id);
      if (refused || signal.aborted) {
        const answer = { answer: signal.aborted ? 'withdrawn' : 'nobody', scope: 'once' } as const;
        write(question, answer, 0);
        return Promise.resolve(answer);
      }
      return new Promise((resolve) => {
        const end = (answer: Answer): void => {
          if (!open.delete(id)) return;
          cancel();
          signal.removeEventListener('abort', onGone);
          write(question, answer, clock.monotonic() - started);
          onChange(list());
          resolve(answer);
        };
        const onGone = (): void => end({ answer: 'withdrawn', scope: 'once' });
        const cancel = clock.after(ANSWER_WAIT_MS, () =>
          end({ answer: 'timed-out', scope: 'once' }),
        );
        signal.addEventListener('abort', onGone, { once: true });
        open.set(id, { question, end });
        onChange(list());
      });
    },
    list,
    answer: (id, { verdict, scope }) => {
      const found = open.get(id);
      if (found === undefined) {
        return fail(
          'ask.gone',
          'That question is no longer open: it was answered, timed out, or the program gave up.',
        );
      }
      found.end({ answer: verdict === 'allow' ? 'allowed' : 'denied', scope });
      return ok(undefined);
    },
    abandon: () => {
      for (const { end } of Array.from(open.values())) end({ answer: 'nobody', scope: 'once' });
    },
  };
};
