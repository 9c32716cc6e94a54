import { MAX_MESSAGE_CHARS, MAX_URL_PATH_CHARS } from '../../contract/bounds.ts';
import type { EgressDraft, Program } from '../../contract/index.ts';
import { failure, isoTime, randomId, type Clock } from '../../kit/index.ts';
import type { BrokerDraft } from '../protocol.ts';
import type { Refusal } from './refuse.ts';

/** How long a record waits for the name of its program, in milliseconds; the request itself never waits. */
export const PROGRAM_WAIT_MS = 300;

/** How long a request is under way before the live view is told of it, in milliseconds: most have their record by then. */
export const OPEN_AFTER_MS = 25;

/** What an egress record says beside id, time and duration. */
export type EgressFacts = Omit<EgressDraft, 'kind' | 'at' | 'id' | 'durationMs' | 'program'>;

/** One attempt to leave, from its beginning to its one record. */
export type Exchange = {
  /** Tells the live view that the request has begun, unless it is over within `OPEN_AFTER_MS`. */
  readonly open: () => void;
  readonly set: (facts: Partial<EgressFacts>) => void;
  readonly facts: () => EgressFacts;
  /** Marks it denied (or failed, where it had been allowed) with the code and the words of a refusal. */
  readonly refuse: (refusal: Refusal, verdict?: 'allowed' | 'denied') => void;
  /** Writes the record; every call but the first does nothing. */
  readonly finish: () => void;
  readonly finished: () => boolean;
};

export type ExchangeDeps = {
  readonly clock: Clock;
  readonly record: (draft: BrokerDraft) => void;
  /** Whether there is room for more records. */
  readonly room: () => boolean;
  /** Whether so much is under way that memory runs short. */
  readonly crowded: () => boolean;
  readonly open: (draft: EgressDraft) => void;
  /** Takes known secrets out of a text that is about to be recorded. */
  readonly redact: (text: string) => string;
};

export type Exchanges = {
  readonly begin: (facts: EgressFacts, program: Promise<Program | undefined>) => Exchange;
  /** How many have begun so far. */
  readonly begun: () => number;
  /** Why nothing more may be let out just now: the record has not kept up, or memory runs short. */
  readonly barred: () => Refusal | undefined;
  /** Records something that happens to a credential, with the program if it can be had in time. */
  readonly credential: (
    facts: {
      readonly op: 'used' | 'tripped';
      readonly credential: string;
      readonly host: string;
      readonly code?: Refusal['code'];
    },
    program: Promise<Program | undefined>,
  ) => void;
};

/** A program that was asked for, as far as is known. */
type Asking = { known: Program | undefined; asked: boolean };

export const createExchanges = ({
  clock,
  record,
  room,
  crowded,
  open,
  redact,
}: ExchangeDeps): Exchanges => {
  const process = randomId(6);
  let count = 0;

  /** All requests of a connection share one question; to listen to it anew for each showed in profiles. */
  const askings = new WeakMap<Promise<Program | undefined>, Asking>();

  const askingOf = (program: Promise<Program | undefined>): Asking => {
    const there = askings.get(program);
    if (there !== undefined) return there;
    const asking: Asking = { known: undefined, asked: false };
    askings.set(program, asking);
    void program.then(
      (found) => {
        asking.known = found;
        asking.asked = true;
      },
      () => {
        asking.asked = true;
      },
    );
    return asking;
  };

  // One timer for all that began since it was set: a timer and a notice for each would cost more than the request.
  let begun: (() => void)[] = [];
  const openLater = (tell: () => void): void => {
    begun.push(tell);
    if (begun.length > 1) return;
    clock.after(OPEN_AFTER_MS, () => {
      const due = begun;
      begun = [];
      for (const one of due) one();
    });
  };

  /** The program if its name comes in time; nothing is left waiting afterwards. */
  const inTime = (program: Promise<Program | undefined>): Promise<Program | undefined> =>
    new Promise((resolve) => {
      const cancel = clock.after(PROGRAM_WAIT_MS, () => resolve(undefined));
      const settle = (found?: Program): void => {
        cancel();
        resolve(found);
      };
      program.then(settle, () => settle());
    });

  /** Nearly every record holds no secret: one search over all of it says so. */
  const holdsNone = ({ host, path, method, detail }: EgressFacts): boolean => {
    const told = `${host}\n${path ?? ''}\n${method ?? ''}\n${detail ?? ''}`;
    return redact(told) === told;
  };
  const clean = (facts: EgressFacts): EgressFacts => {
    const safe = holdsNone(facts) ? (text: string): string => text : redact;
    return {
      ...facts,
      host: safe(facts.host),
      ...(facts.path === undefined ? {} : { path: safe(facts.path).slice(0, MAX_URL_PATH_CHARS) }),
      ...(facts.detail === undefined
        ? {}
        : { detail: safe(facts.detail).slice(0, MAX_MESSAGE_CHARS) }),
      ...(facts.method === undefined ? {} : { method: safe(facts.method).slice(0, 32) }),
    };
  };

  return {
    begun: () => count,
    barred: () => {
      if (!room()) {
        const why =
          'More happens than can be recorded, so nothing more is let out until the record has caught up.';
        return failure('egress.unrecorded', why, 'Try again in a moment.');
      }
      if (crowded()) {
        const why = 'More is under way at once than there is memory for.';
        return failure('egress.too-many', why, 'Try again when some of it is done.');
      }
      return undefined;
    },
    begin: (initial, program) => {
      // Ours alone, and set often: a new object each time showed in profiles.
      const facts = { ...initial };
      let finished = false;
      const asking = askingOf(program);
      count += 1;
      const id = `${process}-${String(count)}`;
      const at = isoTime(clock.now());
      const started = clock.monotonic();
      const draft = (): EgressDraft => ({
        kind: 'egress',
        at,
        id,
        ...clean(facts),
        durationMs: clock.monotonic() - started,
        ...(asking.known === undefined ? {} : { program: asking.known }),
      });
      return {
        open: () =>
          openLater(() => {
            if (!finished) open(draft());
          }),
        set: (more) => {
          Object.assign(facts, more);
        },
        facts: () => facts,
        refuse: (refusal, verdict = 'denied') => {
          Object.assign(facts, { verdict, code: refusal.code, detail: refusal.message });
        },
        finish: () => {
          if (finished) return;
          finished = true;
          const last = draft();
          if (asking.asked) {
            record(last);
            return;
          }
          void (async () => {
            const found = await inTime(program);
            record(found === undefined ? last : { ...last, program: found });
          })();
        },
        finished: () => finished,
      };
    },
    credential: (facts, program) => {
      const at = isoTime(clock.now());
      void (async () => {
        const found = await inTime(program);
        record({
          kind: 'credential',
          at,
          ...facts,
          ...(found === undefined ? {} : { program: found }),
        });
      })();
    },
  };
};
