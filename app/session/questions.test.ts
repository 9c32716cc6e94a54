import { beforeEach, describe, expect, it } from 'vitest';
import {
  ANSWER_WAIT_MS,
  MAX_OPEN_QUESTIONS,
  TimelineDraft,
  type ApprovalDraft,
  type OpenQuestion,
  type Question,
} from '../contract/index.ts';
import { createManualClock, type ManualClock } from '../kit/index.ts';
import { ABSENCE_MS, createAttendance, type Attendance } from './attendance.ts';
import { createQuestions, type Questions } from './questions.ts';

let clock: ManualClock;
let attendance: Attendance;
let records: ApprovalDraft[];
let shown: readonly OpenQuestion[];
let questions: Questions;

beforeEach(() => {
  clock = createManualClock();
  attendance = createAttendance(clock);
  records = [];
  shown = [];
  questions = createQuestions({
    clock,
    attended: attendance.attended,
    record: (draft) => records.push(draft),
    onChange: (open) => {
      shown = open;
    },
  });
  attendance.onAbandoned(questions.abandon);
});

const question: Question = {
  what: 'destination',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  method: 'GET',
  path: '/v1',
  credential: 'work',
};
const forever = new AbortController().signal;

describe('a session’s questions', () => {
  it('are shown, answered once, and on the record with the answer', async () => {
    attendance.attend();
    const answer = questions.ask('a-1', question, forever);
    expect(shown).toMatchObject([{ id: 'a-1', host: 'api.test' }]);
    clock.advance(1500);
    const reply = { verdict: 'allow', scope: 'session' } as const;
    expect(questions.answer('a-1', reply)).toMatchObject({ ok: true });
    expect(await answer).toEqual({ answer: 'allowed', scope: 'session' });
    expect(shown).toEqual([]);
    expect(records).toMatchObject([
      {
        kind: 'approval',
        id: 'a-1',
        question: 'May this session reach api.test?',
        host: 'api.test',
        method: 'GET',
        credential: 'work',
        answer: 'allowed',
        scope: 'session',
        durationMs: 1500,
      },
    ]);
    expect(TimelineDraft.safeParse(records[0]).success).toBe(true);
    expect(questions.answer('a-1', reply)).toMatchObject({
      ok: false,
      error: { code: 'ask.gone' },
    });
  });

  it('are refused where the person says no', async () => {
    attendance.attend();
    const answer = questions.ask('a-1', question, forever);
    questions.answer('a-1', { verdict: 'deny', scope: 'once' });
    expect(await answer).toEqual({ answer: 'denied', scope: 'once' });
    expect(records).toMatchObject([{ answer: 'denied', scope: 'once' }]);
  });

  it('are answered with no where nobody is there, or nobody answers in time', async () => {
    expect(await questions.ask('a-1', question, forever)).toMatchObject({ answer: 'nobody' });
    attendance.attend();
    const answer = questions.ask('a-2', question, forever);
    clock.advance(ANSWER_WAIT_MS);
    expect(await answer).toMatchObject({ answer: 'timed-out' });
    expect(records.map((record) => [record.answer, record.scope])).toEqual([
      ['nobody', undefined],
      ['timed-out', undefined],
    ]);
  });

  it('are given up when whoever was there stays away, and not for a page that loads again', async () => {
    const leave = attendance.attend();
    const answer = questions.ask('a-1', question, forever);
    leave();
    clock.advance(ABSENCE_MS - 1);
    const back = attendance.attend();
    clock.advance(ABSENCE_MS);
    expect(shown).toHaveLength(1);
    back();
    back();
    expect(await questions.ask('a-2', question, forever)).toMatchObject({ answer: 'nobody' });
    clock.advance(ABSENCE_MS);
    expect(await answer).toMatchObject({ answer: 'nobody' });
    expect(shown).toEqual([]);
  });

  it('vanish when the program gives up', async () => {
    attendance.attend();
    const gone = new AbortController();
    const answer = questions.ask('a-1', question, gone.signal);
    gone.abort();
    expect(await answer).toMatchObject({ answer: 'withdrawn' });
    expect(shown).toEqual([]);
    expect(await questions.ask('a-2', question, gone.signal)).toMatchObject({
      answer: 'withdrawn',
    });
  });

  it('are bounded here too, whatever the broker process does', async () => {
    attendance.attend();
    for (let index = 0; index < MAX_OPEN_QUESTIONS; index += 1) {
      void questions.ask(`a-${String(index)}`, question, forever);
    }
    expect(await questions.ask('b-1', question, forever)).toMatchObject({ answer: 'nobody' });
    expect(await questions.ask('a-1', question, forever)).toMatchObject({ answer: 'nobody' });
    expect(questions.list()).toHaveLength(MAX_OPEN_QUESTIONS);
  });
});
