import { createGunzip } from 'node:zlib';
import { err, failure, ok, type Result } from '../../../kit/index.ts';
import { judgeGit, matchesHostRule, type GitRule } from '../../../policy/index.ts';
import type { CredentialBook } from '../credential-book.ts';
import { injectRequest } from '../inject.ts';
import type { BodyGate, JudgedRequest, Mediator } from '../mediate.ts';
import type { Refusal } from '../refuse.ts';
import { refusedAdvertisement, refusedFetch, refusedPush } from './git-answer.ts';
import { readGitRequest, type GitRequest } from './git-request.ts';
import { MAX_PUSH_HEAD_BYTES, readPushRequest, type PushRequest } from './push-request.ts';

/** Most refs that a refusal names. */
export const MAX_NAMED_REFS = 10;

/** What git's rules say to a request: nothing, a refusal, or that its body has to be read first. */
export type GitJudgement = Result<BodyGate, Refusal>;

const HINT =
  'Ask the person who runs this session for leave, or work on a branch that the rules allow.';

const denied = (
  code: 'git.push-denied' | 'git.fetch-denied',
  { host }: JudgedRequest['to'],
  repository: string,
  what: string,
  rule: string | undefined,
): Refusal =>
  failure(
    code,
    `${what} ${host}/${repository} is not allowed (${rule ?? 'no git rule allows it'}).`,
    HINT,
  );

/** The beginning of a compressed body, no longer than a push's head may be. */
const inflated = (bytes: Buffer): Promise<{ readonly bytes: Buffer; readonly broken: boolean }> =>
  new Promise((resolve) => {
    const gunzip = createGunzip();
    const parts: Buffer[] = [];
    let length = 0;
    const done = (broken: boolean): void => {
      gunzip.destroy();
      resolve({ bytes: Buffer.concat(parts), broken });
    };
    gunzip.on('data', (part: Buffer) => {
      parts.push(part);
      length += part.length;
      if (length > MAX_PUSH_HEAD_BYTES) done(false);
    });
    gunzip.on('end', () => done(false));
    gunzip.on('error', () => done(true));
    // Flushed rather than ended: more may come, and a beginning is no broken file.
    gunzip.write(bytes);
    gunzip.flush(() => done(false));
  });

const judgePush = (
  rules: readonly GitRule[],
  { to }: JudgedRequest,
  repository: string,
  push: PushRequest,
): Result<'go', Refusal> => {
  const refused: string[] = [];
  let by: string | undefined;
  for (const { action, ref } of push.commands) {
    const verdict = judgeGit(rules, { operation: 'push', ...to, repository, ref });
    if (verdict.verdict === 'allow') continue;
    by ??= verdict.words;
    refused.push(`${action} ${ref}`);
  }
  // A forge's options merge, open and trigger: more than the refs that rules by branch look at.
  const free =
    judgeGit(rules, { operation: 'push', ...to, repository }).verdict === 'allow' &&
    rules.every((rule) => rule.verdict === 'allow' || rule.branch === undefined);
  if (refused.length === 0 && push.options.length > 0 && !free) {
    refused.push('use push options');
    by = 'rules by branch do not cover push options';
  }
  if (refused.length === 0) return ok('go');
  const named = refused.slice(0, MAX_NAMED_REFS).join(', ');
  const rest = refused.length - MAX_NAMED_REFS;
  const refusal = denied(
    'git.push-denied',
    to,
    repository,
    `Pushing (${named}${rest > 0 ? ` and ${String(rest)} more` : ''}) to`,
    by,
  );
  return err({ ...refusal, answer: refusedPush(push, refusal) });
};

const pushGate = (
  rules: readonly GitRule[],
  request: JudgedRequest,
  repository: string,
): GitJudgement => {
  const codings = request.headers.filter(([name]) => name.toLowerCase() === 'content-encoding');
  const coding = codings.map(([, value]) => value.trim().toLowerCase()).join(',');
  if (!['', 'identity', 'gzip', 'x-gzip'].includes(coding)) {
    return err(failure('git.unreadable', `The push is encoded as ${coding} and cannot be read.`));
  }
  const zipped = coding.endsWith('gzip');
  return ok({
    type: 'peek',
    maxBytes: MAX_PUSH_HEAD_BYTES,
    read: async (soFar, last) => {
      const { bytes, broken } = zipped ? await inflated(soFar) : { bytes: soFar, broken: false };
      const push = readPushRequest(bytes, last || broken);
      if (!push.ok) return err(failure('git.unreadable', push.error.message));
      if (push.value === undefined) return ok('more');
      return judgePush(rules, request, repository, push.value);
    },
  });
};

const judgeAdvertisement = (
  rules: readonly GitRule[],
  { to }: JudgedRequest,
  { operation, repository }: GitRequest,
): GitJudgement => {
  const { verdict, words } = judgeGit(rules, { operation, ...to, repository });
  const push = operation === 'push';
  // Which refs a push is for is not known yet: only a rule that speaks of all of them decides here.
  if (verdict === 'allow' || (push && words === undefined)) return ok({ type: 'stream' });
  const refusal = denied(
    push ? 'git.push-denied' : 'git.fetch-denied',
    to,
    repository,
    push ? 'Pushing to' : 'Fetching from',
    words,
  );
  const service = push ? 'git-receive-pack' : 'git-upload-pack';
  return err({ ...refusal, answer: refusedAdvertisement(service, refusal) });
};

/**
 * Holds a git client's request against the session's git rules; undefined where it is none or no
 * rule speaks of that operation at its host. A push goes on only when its commands have been read.
 */
export const judgeGitRequest = (
  rules: readonly GitRule[],
  request: JudgedRequest,
): GitJudgement | undefined => {
  const { host, port } = request.to;
  const there = rules.filter((rule) => matchesHostRule(rule.host, host, port));
  if (there.length === 0) return undefined;
  const git = readGitRequest(request.method, request.target);
  if (!git.ok) return err(failure('git.unreadable', git.error.message));
  if (git.value === undefined) return undefined;
  const { operation, repository, step } = git.value;
  const bearing = there.filter((rule) => rule.operation === operation);
  if (bearing.length === 0) return undefined;
  if (step === 'advertise') return judgeAdvertisement(bearing, request, git.value);
  if (operation === 'push') return pushGate(bearing, request, repository);
  const { verdict, words } = judgeGit(bearing, { operation, ...request.to, repository });
  if (verdict === 'allow') return ok({ type: 'stream' });
  const refusal = denied('git.fetch-denied', request.to, repository, 'Fetching from', words);
  return err({ ...refusal, answer: refusedFetch(refusal) });
};

/** Takes the requests of git clients that a rule speaks of; credentials go in as in any request. */
export const createGitMediator =
  (rules: readonly GitRule[], book: CredentialBook): Mediator =>
  (request) => {
    const judged = judgeGitRequest(rules, request);
    if (judged === undefined || !judged.ok) return judged;
    const injected = injectRequest(book.held(), request);
    // A placeholder in a wrong place is the plain way's to tell.
    if (injected.type === 'tripped') return undefined;
    return ok({
      target: injected.target,
      headers: injected.headers,
      used: injected.used,
      body: judged.value,
      answer: { type: 'stream' },
    });
  };
