import { beforeEach, describe, expect, it } from 'vitest';
import {
  MAX_OPEN_QUESTIONS,
  MAX_QUESTION_REFS,
  MAX_QUESTIONS_A_MINUTE,
  type Question,
} from '../../contract/index.ts';
import { createManualClock, type ManualClock } from '../../kit/index.ts';
import { createAsker, FETCH_ONCE_MS, REFUSAL_HOLDS_MS, type Asked, type Asker } from './asker.ts';

type Sent =
  | { readonly type: 'ask'; readonly id: string; readonly question: Question }
  | { readonly type: 'withdraw'; readonly id: string };

let clock: ManualClock;
let sent: Sent[];
let asker: Asker;

beforeEach(() => {
  clock = createManualClock();
  sent = [];
  asker = createAsker({
    clock,
    send: (message) => sent.push(message),
    redact: (text) => text.replaceAll('secret', '***'),
  });
});

const reach = (more: Partial<Asked> = {}): Asked => ({
  what: 'destination',
  scheme: 'https',
  host: 'api.test',
  port: 443,
  method: 'GET',
  path: '/',
  ...more,
});
const push = (...refs: string[]): Asked => ({
  what: 'git-push',
  scheme: 'https',
  host: 'forge.test',
  port: 443,
  repository: 'me/work',
  refs,
});
const fetching: Asked = {
  what: 'git-fetch',
  scheme: 'https',
  host: 'forge.test',
  port: 443,
  repository: 'me/work',
};

type Outcome = { code: string | undefined; ids: string[]; readonly leave: () => void };

/** What becomes of a question: `open` while it waits, then the refusal's code or `leave`. */
const ask = (asked: Asked): Outcome => {
  const gone = new AbortController();
  const outcome: Outcome = { code: 'open', ids: [], leave: () => gone.abort() };
  void asker
    .ask(asked, {
      program: Promise.resolve(undefined),
      signal: gone.signal,
      onAsked: (id) => outcome.ids.push(id),
    })
    .then((result) => {
      outcome.code = result.ok ? 'leave' : result.error.code;
    });
  return outcome;
};
const settle = () => new Promise((resolve) => setImmediate(resolve));
const questions = (): Question[] =>
  sent.flatMap((message) => (message.type === 'ask' ? [message.question] : []));
const answer = async (
  what: 'allowed' | 'denied' | 'timed-out',
  scope: 'once' | 'session' = 'once',
): Promise<void> => {
  const last = sent.findLast(({ type }) => type === 'ask');
  if (last === undefined) throw new Error('nothing was asked');
  asker.answered(last.id, { answer: what, scope });
  await settle();
};

describe('leave from a person', () => {
  it('is nothing until an answer comes, and an answer to another question gives none', async () => {
    const waiting = ask(reach());
    await settle();
    asker.answered('other-1', { answer: 'allowed', scope: 'session' });
    await settle();
    expect(waiting.code).toBe('open');
    await answer('allowed');
    expect(waiting.code).toBe('leave');
    expect(waiting.ids).toEqual([sent[0]?.id]);
  });

  it('for the session is for scheme, host and port alone', async () => {
    ask(reach());
    await settle();
    await answer('allowed', 'session');
    const to = { host: 'api.test', port: 443, tls: true } as Parameters<Asker['given']>[0];
    expect(asker.given(to)).toBe(true);
    expect(asker.given({ ...to, tls: false })).toBe(false);
    expect(asker.given({ ...to, port: 8443 })).toBe(false);
    const others = [
      reach({ port: 8443 }),
      reach({ host: 'a.api.test' }),
      reach({ scheme: 'http' }),
    ];
    for (const other of others) expect(ask(other).code).toBe('open');
    const same = ask(reach({ method: 'DELETE', path: '/x' }));
    await settle();
    expect(same.code).toBe('leave');
  });

  it.each([{ path: '/other' }, { method: 'POST' }, { credential: 'work' }])(
    'for once is not for a request with %j',
    async (more) => {
      const shown = ask(reach());
      await settle();
      const other = ask(reach(more));
      await settle();
      expect(questions()).toHaveLength(1);
      await answer('allowed');
      expect(shown.code).toBe('leave');
      expect(other.code).toBe('open');
      expect(questions()[1]).toMatchObject(more);
    },
  );

  it('refused holds for a while, for the session where the person says so', async () => {
    const first = ask(reach());
    await settle();
    await answer('denied');
    expect(first.code).toBe('ask.denied');
    const soon = ask(reach({ path: '/again' }));
    await settle();
    expect(soon.code).toBe('ask.denied');
    clock.advance(REFUSAL_HOLDS_MS);
    const later = ask(reach());
    await settle();
    expect(later.code).toBe('open');
    await answer('denied', 'session');
    clock.advance(1000 * REFUSAL_HOLDS_MS);
    const never = ask(reach());
    await settle();
    expect(never.code).toBe('ask.denied');
  });

  it('to push is for each branch by itself, and none to delete it', async () => {
    ask(push('update refs/heads/a', 'create refs/heads/b'));
    await settle();
    await answer('allowed', 'session');
    for (const [refs, code] of [
      [['update refs/heads/a'], 'leave'],
      [['update refs/heads/b', 'update refs/heads/a'], 'leave'],
      [['delete refs/heads/a'], 'open'],
      [['update refs/heads/a', 'update refs/heads/c'], 'open'],
      [['update refs/heads/a/b'], 'open'],
    ] as const) {
      const outcome = ask(push(...refs));
      await settle();
      expect([refs, outcome.code]).toEqual([refs, code]);
    }
  });

  it('to fetch once lasts for the requests of one fetch', async () => {
    ask(fetching);
    await settle();
    await answer('allowed');
    const next = ask(fetching);
    await settle();
    expect(next.code).toBe('leave');
    clock.advance(FETCH_ONCE_MS);
    const later = ask(fetching);
    await settle();
    expect(later.code).toBe('open');
  });

  it('is not asked for where a question could not show it whole', async () => {
    const many = Array.from(
      { length: MAX_QUESTION_REFS + 1 },
      (_, index) => `update refs/heads/${String(index)}`,
    );
    const outcomes = [
      ask(push(...many)),
      ask(push(`update refs/heads/${'a'.repeat(300)}`)),
      ask(push()),
      ask({ ...fetching, repository: 'a/'.repeat(200) }),
    ];
    await settle();
    expect(outcomes.map(({ code }) => code)).toEqual(Array(4).fill('ask.unclear'));
    expect(sent).toEqual([]);
  });

  it('shows no secret, and nothing longer than its cap', async () => {
    ask(reach({ path: `/secret/${'x'.repeat(5000)}`, method: 'M'.repeat(100) }));
    await settle();
    const [question] = questions();
    expect(question?.path?.startsWith('/***/xxx')).toBe(true);
    expect(question?.path).toHaveLength(2048);
    expect(question?.method).toHaveLength(32);
  });

  it('is withdrawn when the last who waits is gone', async () => {
    const one = ask(reach());
    const two = ask(reach());
    await settle();
    one.leave();
    await settle();
    expect(one.code).toBe('egress.aborted');
    expect(sent).toHaveLength(1);
    two.leave();
    await settle();
    expect(sent[1]).toEqual({ type: 'withdraw', id: sent[0]?.id });
    await answer('allowed', 'session');
    const next = ask(reach());
    await settle();
    expect(next.code).toBe('open');
  });

  it('is not asked for over and over by a program that gives up each time', async () => {
    for (let index = 0; index < MAX_QUESTIONS_A_MINUTE; index += 1) {
      const outcome = ask(reach({ host: `h${String(index)}.test` }));
      outcome.leave();
      await settle();
      expect(outcome.code).toBe('egress.aborted');
    }
    const over = ask(reach());
    await settle();
    expect(over.code).toBe('ask.too-many');
    clock.advance(60_000);
    const later = ask(reach());
    await settle();
    expect(later.code).toBe('open');
  });

  it('has no more questions open than a person could look at', async () => {
    for (let index = 0; index < MAX_OPEN_QUESTIONS; index += 1) {
      ask(reach({ host: `h${String(index)}.test` }));
    }
    const over = ask(reach({ host: 'over.test' }));
    const joins = ask(reach({ host: 'h0.test' }));
    await settle();
    expect(over.code).toBe('ask.too-many');
    expect(joins.code).toBe('open');
    expect(questions()).toHaveLength(MAX_OPEN_QUESTIONS);
  });
});
