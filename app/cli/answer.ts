import { questionWords, QuestionId, type OpenQuestion, type SessionId } from '../contract/index.ts';
import { failure } from '../kit/index.ts';
import { printable, sayFailure } from './console.ts';
import { EXIT, exitCodeOf } from './exit-codes.ts';
import { withSession } from './session.ts';
import type { Invocation } from './with-host.ts';

export type AnswerFlags = { readonly session?: boolean; readonly json?: boolean };

const describe = (question: OpenQuestion): string =>
  [
    question.id,
    questionWords(question),
    [question.method, question.path, ...(question.refs ?? [])]
      .filter((part) => part !== undefined)
      .join(' '),
    question.credential === undefined ? '' : `with ${question.credential}`,
    question.program?.command.join(' ') ?? 'program unknown',
  ]
    .map(printable)
    .join('\t');

const list = ({ host, console }: Invocation, id: SessionId, asJson: boolean): number => {
  const questions = host.sessions.get(id)?.questions ?? [];
  if (asJson) console.out(JSON.stringify(questions));
  else if (questions.length === 0) console.say('Nothing waits for an answer.');
  else for (const question of questions) console.out(describe(question));
  return EXIT.done;
};

/** `glovebox session answer`: lists the open questions of a running session, or answers one. */
export const answerQuestion = (
  invocation: Invocation,
  text: string,
  question: string | undefined,
  verdict: string | undefined,
  flags: AnswerFlags,
): Promise<number> =>
  withSession(invocation, text, async (id) => {
    if (question === undefined) return list(invocation, id, flags.json === true);
    const { console, host } = invocation;
    const which = QuestionId.safeParse(question);
    if (!which.success || (verdict !== 'allow' && verdict !== 'deny')) {
      const why = 'An answer names a question and says allow or deny.';
      const wrong = failure('policy.invalid', why, `glovebox session answer ${id} lists them.`);
      sayFailure(console, wrong);
      return exitCodeOf(wrong);
    }
    const scope = flags.session === true ? 'session' : 'once';
    const answered = await host.sessions.answer(id, which.data, { verdict, scope });
    if (!answered.ok) {
      sayFailure(console, answered.error);
      return exitCodeOf(answered.error);
    }
    console.say(verdict === 'allow' ? 'Allowed.' : 'Refused.');
    return EXIT.done;
  });
