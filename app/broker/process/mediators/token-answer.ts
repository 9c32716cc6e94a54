import {
  err,
  failure,
  ok,
  parseJsonObject,
  type JsonObject,
  type Result,
} from '../../../kit/index.ts';
import type { HeldAnswer } from '../mediate.ts';
import type { Refusal } from '../refuse.ts';

/** Longest answer of a token endpoint that is read, in bytes. */
export const MAX_TOKEN_ANSWER_BYTES = 256 * 1024;
/** Deepest nesting of such an answer. */
export const MAX_ANSWER_DEPTH = 16;

/** Names of fields whose text is a credential, or may be one. */
const SECRET_FIELD = /token|secret|assertion|jwt|ticket|credential|api_?key|password/i;
/** Names of the same form that say something about one, by how they end: `scoped_token` is one itself. */
const TELLS_ABOUT =
  /(?:type|_in|_at|uri|url|endpoint|scopes?|(?:expires|expired|expiry|expiration)(?:_?(?:in|at|on|date|time))?)$/i;

/** What becomes of one token: its name in the answer, the token, and how long it lives. */
export type Replace = (
  name: string,
  token: string,
  lifetimeMs: number | undefined,
) => Result<string, Refusal>;

const lifetimeOf = (answer: JsonObject): number | undefined => {
  const told = answer['expires_in'];
  // Some servers write the number as text. Anything else is none: turning an object into one may throw.
  const seconds = typeof told === 'number' || typeof told === 'string' ? Number(told) : Number.NaN;
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
};

const unreadable = (why: string): Result<never, Refusal> =>
  err(
    failure(
      'oauth.unreadable',
      `The answer of the token endpoint ${why}, so it was not passed on.`,
      'See the timeline for its status; the real tokens stayed outside.',
    ),
  );

const replaceIn = (
  value: unknown,
  name: string,
  replace: (name: string, token: string) => Result<string, Refusal>,
  depth: number,
): Result<unknown, Refusal> => {
  if (depth > MAX_ANSWER_DEPTH) return unreadable('is nested too deeply');
  if (typeof value === 'string') {
    const secret = SECRET_FIELD.test(name) && !TELLS_ABOUT.test(name) && value !== '';
    return secret ? replace(name, value) : ok(value);
  }
  if (Array.isArray(value)) {
    const items: unknown[] = [];
    for (const item of value) {
      const done = replaceIn(item, name, replace, depth + 1);
      if (!done.ok) return done;
      items.push(done.value);
    }
    return ok(items);
  }
  if (typeof value !== 'object' || value === null) return ok(value);
  const fields: [string, unknown][] = [];
  for (const [key, field] of Object.entries(value)) {
    const done = replaceIn(field, key, replace, depth + 1);
    if (!done.ok) return done;
    fields.push([key, done.value]);
  }
  return ok(Object.fromEntries(fields));
};

/**
 * Replaces every token in a token endpoint's answer (RFC 6749 5.1), at any depth, whatever its status.
 * `oauth.unreadable` for an answer that is no JSON object: what cannot be read may hold a token.
 */
export const replaceTokens = (
  answer: HeldAnswer,
  replace: Replace,
): Result<HeldAnswer, Refusal> => {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(answer.body);
  } catch {
    return unreadable(`(status ${String(answer.status)}) is no UTF-8`);
  }
  const object = parseJsonObject(text);
  if (object === undefined)
    return unreadable(`(status ${String(answer.status)}) is no JSON object`);
  const lifetime = lifetimeOf(object);
  const replaced = replaceIn(object, '', (name, token) => replace(name, token, lifetime), 0);
  return replaced.ok
    ? ok({ ...answer, body: Buffer.from(JSON.stringify(replaced.value)) })
    : replaced;
};
