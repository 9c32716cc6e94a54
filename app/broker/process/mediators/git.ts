import { createGunzip } from 'node:zlib';
import { err, failure, ok, type Result } from '../../../kit/index.ts';
import { judgeGit, matchesHostRule } from '../../../policy/enforce.ts';
import type { GitRule } from '../../../policy/index.ts';
import type { Asked, Asker } from '../asker.ts';
import type { CredentialBook } from '../credential-book.ts';
import { injectRequest } from '../inject.ts';
import type { BodyGate, JudgedRequest, Leave, Mediator, Waiting } from '../mediate.ts';
import type { Refusal, RefusalAnswer } from '../refuse.ts';
import { methodsOf } from '../sites/methods.ts';
import { refusedAdvertisement, refusedFetch, refusedPush } from './git-answer.ts';
import { readGitRequest, type GitRequest } from './git-request.ts';
import { MAX_PUSH_HEAD_BYTES, readPushRequest, type PushRequest } from './push-request.ts';

/** Most refs that a refusal names. */
export const MAX_NAMED_REFS = 10;

/** What git's rules say to a request: a refusal, or how its body goes and whose leave it needs first. */
export type GitJudgement = Result<{ readonly body: BodyGate; readonly leave?: Leave }, Refusal>;

/** A git request on its way to being judged. */
type GitAsk = {
  readonly rules: readonly GitRule[];
  readonly request: JudgedRequest;
  readonly repository: string;
  readonly asker: Asker;
  /** Name of the credential that would go in. */
  readonly credential: string | undefined;
};

const asked = (
  { request, repository, credential }: GitAsk,
  what: 'git-push' | 'git-fetch',
  refs?: string[],
): Asked => ({
  what,
  scheme: request.to.tls ? 'https' : 'http',
  host: request.to.host,
  port: request.to.port,
  repository,
  ...(refs === undefined ? {} : { refs }),
  ...(credential === undefined ? {} : { credential }),
});

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

const judgePush = async (
  git: GitAsk,
  push: PushRequest,
  waiting: Waiting,
): Promise<Result<'go', Refusal>> => {
  const { rules, request, repository, asker } = git;
  const { to } = request;
  const refused: string[] = [];
  const toAsk: string[] = [];
  let by: string | undefined;
  for (const { action, ref } of push.commands) {
    const verdict = judgeGit(rules, { operation: 'push', ...to, repository, ref });
    if (verdict.verdict === 'allow') continue;
    if (verdict.verdict === 'ask') {
      toAsk.push(`${action} ${ref}`);
      continue;
    }
    by ??= verdict.words;
    refused.push(`${action} ${ref}`);
  }
  // A forge's options merge, open and trigger: more than the refs that rules by branch look at.
  const free =
    judgeGit(rules, { operation: 'push', ...to, repository }).verdict === 'allow' &&
    rules.every((rule) => rule.verdict === 'allow' || rule.branch === undefined);
  if (refused.length === 0 && push.options.length > 0 && !free) {
    refused.push('use push options');
    by = 'neither rules by branch nor an answer cover push options';
  }
  if (refused.length > 0) {
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
  }
  if (toAsk.length === 0) return ok('go');
  const given = await asker.ask(asked(git, 'git-push', toAsk), waiting);
  return given.ok ? ok('go') : err({ ...given.error, answer: refusedPush(push, given.error) });
};

const pushGate = (git: GitAsk): GitJudgement => {
  const { request } = git;
  const codings = request.headers.filter(([name]) => name.toLowerCase() === 'content-encoding');
  const coding = codings.map(([, value]) => value.trim().toLowerCase()).join(',');
  if (!['', 'identity', 'gzip', 'x-gzip'].includes(coding)) {
    return err(failure('git.unreadable', `The push is encoded as ${coding} and cannot be read.`));
  }
  const zipped = coding.endsWith('gzip');
  const body: BodyGate = {
    type: 'peek',
    maxBytes: MAX_PUSH_HEAD_BYTES,
    read: async (soFar, last, waiting) => {
      const { bytes, broken } = zipped ? await inflated(soFar) : { bytes: soFar, broken: false };
      const push = readPushRequest(bytes, last || broken);
      if (!push.ok) return err(failure('git.unreadable', push.error.message));
      if (push.value === undefined) return ok('more');
      return judgePush(git, push.value, waiting);
    },
  };
  return ok({ body });
};

/** Leave for a fetch from a person; what git shows where there is none. */
const askFetch =
  (git: GitAsk, shown: (refusal: Refusal) => RefusalAnswer): Leave =>
  async (waiting) => {
    const given = await git.asker.ask(asked(git, 'git-fetch'), waiting);
    return given.ok ? given : err({ ...given.error, answer: shown(given.error) });
  };

const judgeAdvertisement = (git: GitAsk, operation: GitRequest['operation']): GitJudgement => {
  const { rules, repository } = git;
  const { to } = git.request;
  const { verdict, words } = judgeGit(rules, { operation, ...to, repository });
  const push = operation === 'push';
  const service = push ? 'git-receive-pack' : 'git-upload-pack';
  // Which refs a push is for is not known yet: only a rule that refuses all of them decides here.
  if (verdict === 'allow' || (push && (verdict === 'ask' || words === undefined))) {
    return ok({ body: { type: 'stream' } });
  }
  if (verdict === 'ask') {
    const leave = askFetch(git, (refusal) => refusedAdvertisement(service, refusal));
    return ok({ body: { type: 'stream' }, leave });
  }
  const refusal = denied(
    push ? 'git.push-denied' : 'git.fetch-denied',
    to,
    repository,
    push ? 'Pushing to' : 'Fetching from',
    words,
  );
  return err({ ...refusal, answer: refusedAdvertisement(service, refusal) });
};

/**
 * Holds a git client's request against the session's git rules; undefined where it is none or no
 * rule speaks of that operation at its host. A push goes on only when its commands have been read.
 */
export const judgeGitRequest = (
  rules: readonly GitRule[],
  request: JudgedRequest,
  asker: Asker,
  credential?: string,
): GitJudgement | undefined => {
  const { host, port } = request.to;
  const there = rules.filter((rule) => matchesHostRule(rule.host, host, port));
  if (there.length === 0) return undefined;
  const methods = methodsOf(request.method, request.target, request.headers);
  const read = readGitRequest(methods, request.target);
  if (!read.ok) return err(failure('git.unreadable', read.error.message));
  if (read.value === undefined) return undefined;
  const { operation, repository, step } = read.value;
  const bearing = there.filter((rule) => rule.operation === operation);
  if (bearing.length === 0) return undefined;
  const git: GitAsk = { rules: bearing, request, repository, asker, credential };
  if (step === 'advertise') return judgeAdvertisement(git, operation);
  if (operation === 'push') return pushGate(git);
  const { verdict, words } = judgeGit(bearing, { operation, ...request.to, repository });
  if (verdict === 'allow') return ok({ body: { type: 'stream' } });
  if (verdict === 'ask')
    return ok({ body: { type: 'stream' }, leave: askFetch(git, refusedFetch) });
  const refusal = denied('git.fetch-denied', request.to, repository, 'Fetching from', words);
  return err({ ...refusal, answer: refusedFetch(refusal) });
};

/** Takes the requests of git clients that a rule speaks of; credentials go in as in any request. */
export const createGitMediator =
  (rules: readonly GitRule[], book: CredentialBook, asker: Asker): Mediator =>
  (request) => {
    if (rules.length === 0) return undefined;
    const injected = injectRequest(book.held(), request);
    const used = injected.type === 'tripped' ? [] : injected.used;
    const judged = judgeGitRequest(rules, request, asker, used[0]?.credential);
    if (judged === undefined || !judged.ok) return judged;
    // A placeholder in a wrong place is the plain way's to tell.
    if (injected.type === 'tripped') return undefined;
    return ok({
      target: injected.target,
      headers: injected.headers,
      used: injected.used,
      answer: { type: 'stream' },
      ...judged.value,
    });
  };
