import { ok, type Clock, type Result } from '../../kit/index.ts';
import type { Dial, DialFailure, Dialled, Upstream } from './dial.ts';

/** How long a server's choice of protocol is believed, in milliseconds. */
export const CHOICE_MS = 300_000;
/** Most servers whose choice is remembered; the oldest goes first. */
export const MAX_CHOICES = 1024;

export type Choice = 'h2' | 'http/1.1';

/** Knows which HTTP version a server speaks, by asking it before the program is offered one. */
export type ProtocolChoice = {
  /** Dials where the answer is not known; the destination must have been judged. */
  readonly of: (to: Upstream) => Promise<Result<Choice, DialFailure>>;
  readonly forget: (to: Upstream) => void;
};

/** Where a connection that was dialled for its answer goes, so that it is of use. */
export type Adopters = Readonly<
  Record<Choice, (to: Upstream, dialled: Dialled) => Promise<boolean> | boolean>
>;

export const createProtocolChoice = (
  clock: Clock,
  dial: Dial,
  adopters: Adopters,
): ProtocolChoice => {
  const known = new Map<string, { readonly choice: Choice; readonly until: number }>();
  const asking = new Map<string, Promise<Result<Choice, DialFailure>>>();
  const keyOf = ({ host, port }: Upstream): string => `${host}:${String(port)}`;

  const ask = async (to: Upstream): Promise<Result<Choice, DialFailure>> => {
    const dialled = await dial(to, ['h2', 'http/1.1']);
    if (!dialled.ok) return dialled;
    const offered: Choice = dialled.value.protocol === 'h2' ? 'h2' : 'http/1.1';
    const adopted = await adopters[offered](to, dialled.value);
    // It chose HTTP/2 and then did not speak it: the older version may still do.
    const choice = adopted ? offered : 'http/1.1';
    known.set(keyOf(to), { choice, until: clock.monotonic() + CHOICE_MS });
    for (const oldest of known.keys()) {
      if (known.size <= MAX_CHOICES) break;
      known.delete(oldest);
    }
    return ok(choice);
  };

  return {
    of: async (to) => {
      const key = keyOf(to);
      const found = known.get(key);
      if (found !== undefined && found.until > clock.monotonic()) return ok(found.choice);
      known.delete(key);
      const underWay = asking.get(key);
      if (underWay !== undefined) return underWay;
      const asked = ask(to).finally(() => asking.delete(key));
      asking.set(key, asked);
      return asked;
    },
    forget: (to) => known.delete(keyOf(to)),
  };
};
