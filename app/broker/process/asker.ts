import {
  MAX_OPEN_QUESTIONS,
  MAX_QUESTIONS_A_MINUTE,
  MAX_QUESTION_NAME_CHARS,
  MAX_QUESTION_PATH_CHARS,
  MAX_QUESTION_REFS,
} from '../../contract/bounds.ts';
import type { Program, Question, QuestionId } from '../../contract/index.ts';
import {
  assertNever,
  err,
  failure,
  ok,
  randomId,
  type Clock,
  type Result,
} from '../../kit/index.ts';
import type { Answer } from '../port.ts';
import type { Waiting } from './mediate.ts';
import type { Refusal } from './refuse.ts';
import type { Destination } from './request.ts';

/** How long a refusal holds without being asked again, in milliseconds: programs try again at once. */
export const REFUSAL_HOLDS_MS = 30_000;
/** How long leave to fetch once holds, in milliseconds: one fetch is several requests. */
export const FETCH_ONCE_MS = 60_000;

const MINUTE_MS = 60_000;

/** What is asked, before the program behind it is known. */
export type Asked = Omit<Question, 'program'>;

/** Gets leave from a person. Whoever waits has sent nothing: no byte, no name, no connection. */
export type Asker = {
  /** Resolves with leave for exactly this, or with the refusal; without an answer there is no leave. */
  readonly ask: (asked: Asked, waiting: Waiting) => Promise<Result<void, Refusal>>;
  readonly answered: (id: QuestionId, answer: Answer) => void;
  /** Whether a destination has leave for the rest of the session. */
  readonly given: (to: Destination) => boolean;
};

export type AskerDeps = {
  readonly clock: Clock;
  readonly send: (
    message:
      | { readonly type: 'ask'; readonly id: QuestionId; readonly question: Question }
      | { readonly type: 'withdraw'; readonly id: QuestionId },
  ) => void;
  /** Takes known secrets out of a text that is about to be shown. */
  readonly redact: (text: string) => string;
};

/** What one answer lasts for, each part by itself: a destination, a repository, one branch of it. */
const partsOf = (asked: Asked): readonly string[] => {
  const place = `${asked.scheme}://${asked.host}:${String(asked.port)}`;
  switch (asked.what) {
    case 'destination':
      return [`reach ${place}`];
    case 'git-fetch':
      return [`fetch ${place}/${asked.repository ?? ''}`];
    case 'git-push':
      // Leave to write a branch is none to delete it.
      return (asked.refs ?? []).map((ref) => {
        const [action = '', ...name] = ref.split(' ');
        const act = action === 'delete' ? 'delete' : 'push';
        return `${act} ${place}/${asked.repository ?? ''} ${name.join(' ')}`;
      });
    default:
      return assertNever(asked.what, 'reading a question');
  }
};

/** What leave for once is leave for: the very thing that was shown. */
const exactOf = ({ what, method, path, credential, refs }: Asked): string =>
  JSON.stringify([what, method, path, credential, refs]);

const isUnclear = ({ what, repository = '', refs = [] }: Asked): boolean =>
  repository.length > MAX_QUESTION_NAME_CHARS ||
  refs.length > MAX_QUESTION_REFS ||
  refs.some((ref) => ref.length > MAX_QUESTION_NAME_CHARS) ||
  (what === 'git-push' && refs.length === 0);

const whatWords = ({ what, host, port, repository = '' }: Asked): string => {
  const place = `${host}:${String(port)}`;
  if (what === 'destination') return `Reaching ${place}`;
  return `${what === 'git-push' ? 'Pushing to' : 'Fetching from'} ${place}/${repository}`;
};

const REFUSED = {
  denied: ['ask.denied', 'was asked about, and the person who runs this session said no'],
  'timed-out': ['ask.timeout', 'was asked about, and nobody answered in time'],
  nobody: ['ask.nobody', 'needs a person’s answer, and nobody is there to ask'],
  withdrawn: ['egress.aborted', 'was asked about, and the program inside broke off'],
} as const;
const HINT = 'Ask the person who runs this session, or have it allowed when the session starts.';

const refusalFor = (asked: Asked, answer: keyof typeof REFUSED): Refusal => {
  const [code, why] = REFUSED[answer];
  return failure(code, `${whatWords(asked)} ${why}.`, HINT);
};

type Waiter = {
  readonly asked: Asked;
  readonly waiting: Waiting;
  readonly settle: (result: Result<void, Refusal>) => void;
};
type Pending = { readonly id: QuestionId; readonly asked: Asked; readonly waiters: Set<Waiter> };
type Held = { readonly id: QuestionId; readonly until: number };

export const createAsker = ({ clock, send, redact }: AskerDeps): Asker => {
  const life = randomId(8);
  const pending = new Map<string, Pending>();
  const leave = new Map<string, Held>();
  const refused = new Map<string, Held & { readonly answer: 'denied' | 'timed-out' }>();
  let count = 0;
  /** When the last questions were put. */
  let recent: number[] = [];

  const current = <T extends Held>(map: Map<string, T>, key: string): T | undefined => {
    const held = map.get(key);
    if (held === undefined || held.until > clock.monotonic()) return held;
    map.delete(key);
    return undefined;
  };
  const hold = <T extends Held>(map: Map<string, T>, key: string, held: T): void => {
    for (const known of map.keys()) current(map, known);
    map.set(key, held);
  };

  const shown = (asked: Asked): Asked => {
    const path = asked.path === undefined ? undefined : redact(asked.path);
    return {
      ...asked,
      ...(asked.method === undefined ? {} : { method: asked.method.slice(0, 32) }),
      ...(path === undefined
        ? {}
        : {
            path:
              path.length > MAX_QUESTION_PATH_CHARS
                ? `${path.slice(0, MAX_QUESTION_PATH_CHARS - 1)}…`
                : path,
          }),
    };
  };

  const open = async (topic: string, asked: Asked, program: Waiting['program']): Promise<void> => {
    const found: Program | undefined = await program.catch(() => undefined);
    const question = pending.get(topic);
    // Everyone who waited may have gone while the program was looked for.
    if (question?.asked !== asked) return;
    send({
      type: 'ask',
      id: question.id,
      question: { ...shown(asked), ...(found === undefined ? {} : { program: found }) },
    });
  };

  const enter = (waiter: Waiter): void => {
    const { asked, waiting, settle } = waiter;
    const parts = partsOf(asked);
    const topic = parts.toSorted().join('\n');
    const no = current(refused, topic);
    if (no !== undefined) {
      waiting.onAsked(no.id);
      settle(err(refusalFor(asked, no.answer)));
      return;
    }
    const held = parts.map((part) => current(leave, part));
    const [first] = held;
    if (first !== undefined && held.every((part) => part !== undefined)) {
      waiting.onAsked(first.id);
      settle(ok(undefined));
      return;
    }
    const known = pending.get(topic);
    if (known !== undefined) {
      known.waiters.add(waiter);
      waiting.onAsked(known.id);
      return;
    }
    const now = clock.monotonic();
    recent = recent.filter((at) => at > now - MINUTE_MS);
    if (pending.size >= MAX_OPEN_QUESTIONS || recent.length >= MAX_QUESTIONS_A_MINUTE) {
      const why = `${whatWords(asked)} needs a person’s answer, and too many questions were put already.`;
      settle(err(failure('ask.too-many', why, HINT)));
      return;
    }
    recent.push(now);
    count += 1;
    const id = `${life}-${String(count)}`;
    pending.set(topic, { id, asked, waiters: new Set([waiter]) });
    waiting.onAsked(id);
    void open(topic, asked, waiting.program);
  };

  const forget = (waiter: Waiter): void => {
    for (const [topic, question] of pending) {
      if (!question.waiters.delete(waiter) || question.waiters.size > 0) continue;
      pending.delete(topic);
      send({ type: 'withdraw', id: question.id });
    }
  };

  return {
    ask: (asked, waiting) => {
      if (waiting.signal.aborted) return Promise.resolve(err(refusalFor(asked, 'withdrawn')));
      if (isUnclear(asked)) {
        const why = `${whatWords(asked)} needs a person’s answer, and is more than one question can show.`;
        return Promise.resolve(err(failure('ask.unclear', why, HINT)));
      }
      return new Promise((resolve) => {
        const onGone = (): void => {
          forget(waiter);
          waiter.settle(err(refusalFor(asked, 'withdrawn')));
        };
        const waiter: Waiter = {
          asked,
          waiting,
          settle: (result) => {
            waiting.signal.removeEventListener('abort', onGone);
            resolve(result);
          },
        };
        waiting.signal.addEventListener('abort', onGone, { once: true });
        enter(waiter);
      });
    },

    answered: (id, { answer, scope }) => {
      const found = Array.from(pending).find(([, question]) => question.id === id);
      // Withdrawn meanwhile, or never asked: an answer to nothing gives no leave.
      if (found === undefined) return;
      const [topic, { asked, waiters }] = found;
      pending.delete(topic);
      const now = clock.monotonic();
      if (answer === 'allowed') {
        const fetching = asked.what === 'git-fetch';
        if (scope === 'session' || fetching) {
          const until = scope === 'session' ? Infinity : now + FETCH_ONCE_MS;
          for (const part of partsOf(asked)) hold(leave, part, { id, until });
        }
        const exact = exactOf(asked);
        for (const waiter of waiters) {
          if (scope === 'session' || fetching || exactOf(waiter.asked) === exact) {
            waiter.settle(ok(undefined));
          } else {
            // Another request to the same destination: leave for one is none for the next.
            enter(waiter);
          }
        }
        return;
      }
      if (answer === 'denied' || answer === 'timed-out') {
        const until =
          answer === 'denied' && scope === 'session' ? Infinity : now + REFUSAL_HOLDS_MS;
        hold(refused, topic, { id, until, answer });
      }
      for (const waiter of waiters) waiter.settle(err(refusalFor(waiter.asked, answer)));
    },

    given: ({ tls, host, port }) =>
      partsOf({ what: 'destination', scheme: tls ? 'https' : 'http', host, port }).every(
        (part) => current(leave, part) !== undefined,
      ),
  };
};
