import { X509Certificate } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import type { EgressDraft, QuestionId } from '../contract/index.ts';
import {
  fail,
  isoTime,
  ok,
  Secret,
  sleep,
  systemClock,
  type Clock,
  type Result,
} from '../kit/index.ts';
import { createSessionAuthority } from './authority.ts';
import { certificatesIn, readHostAuthorities, uniqueCertificates } from './host-authorities.ts';
import { withRefreshToken } from '../policy/index.ts';
import type {
  Answer,
  Broker,
  BrokerFailure,
  BrokerSpec,
  SessionAuthority,
  StartBroker,
} from './port.ts';
import type { SentSpec, SentToProcess } from './orders.ts';
import { FromProcess, type BrokerDraft } from './protocol.ts';
import { forkProcess, type Spawn, type SpawnedProcess } from './spawn.ts';

/** How long a broker process may take to listen, in milliseconds. */
export const READY_TIMEOUT_MS = 20_000;
/** How long a broker process may take to write its records when it is closed, in milliseconds. */
export const CLOSE_TIMEOUT_MS = 5000;
/** First and longest wait before a dead process is started again, in milliseconds. */
export const RESTART_FIRST_MS = 100;
export const RESTART_MOST_MS = 10_000;
/** A process that has lived this long begins at the first wait again. */
export const STEADY_MS = 30_000;
/** Most hosts remembered for telling a first visit; past it every host counts as seen. */
export const MAX_SEEN_HOSTS = 10_000;
/** Threads for name lookups in the broker process, so that slow names do not hold up the others. */
const LOOKUP_THREADS = '16';

export type StartBrokerOptions = {
  readonly spawn?: Spawn;
  /** The file that the process runs. */
  readonly entry?: string;
  readonly clock?: Clock;
  /** Where the host's further authorities are named. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * Folder in which Node keeps the process's compiled sources for the next one (node:module, compile cache): a
   * second's less to wait for, and a fifth less memory. What lies there is run: nobody else may write to it.
   */
  readonly compileCache?: string;
};

const defaultEntry = (): string => fileURLToPath(new URL('./process/main.ts', import.meta.url));

const isCertificate = (pem: string): boolean => {
  try {
    return new X509Certificate(pem).validTo !== '';
  } catch {
    // Old bundles hold a few that no one can read; one such must not take the others along.
    return false;
  }
};

const processSpec = (
  spec: BrokerSpec,
  authority: SessionAuthority,
  upstreamAuthorities: readonly string[],
): SentSpec => ({
  linkFolder: spec.linkFolder,
  network: { ...spec.network, git: spec.network.git.map(({ words }) => words) },
  credentials: spec.credentials.map(({ grant, secret }) => ({ grant, secret: secret.expose() })),
  upstreamAuthorities,
  authority: {
    certificatePem: authority.certificatePem,
    privateKeyPem: authority.privateKeyPem.expose(),
  },
});

/** The orders with a refresh token that its server has replaced: a restarted process begins with the new one. */
const withRotated = (
  spec: SentSpec,
  credential: string,
  refreshToken: string,
): { readonly spec: SentSpec; readonly secret: Secret } | undefined => {
  const held = spec.credentials.find(
    ({ grant }) => grant.credential === credential && grant.kind === 'oauth-refresh',
  );
  const secret = held === undefined ? undefined : withRefreshToken(held.secret, refreshToken);
  if (held === undefined || secret?.ok !== true) return undefined;
  const credentials = spec.credentials.map((other) =>
    other === held ? { ...other, secret: secret.value } : other,
  );
  return { spec: { ...spec, credentials }, secret: new Secret(secret.value) };
};

/** Marks the first record of each host in the session, across restarts of the process. */
const createFirstSeen = (): { mark: (draft: EgressDraft, keep: boolean) => EgressDraft } => {
  const seen = new Set<string>();
  return {
    mark: (draft, keep) => {
      const { firstSeen: _claimed, ...rest } = draft;
      if (seen.has(draft.host) || seen.size >= MAX_SEEN_HOSTS) return rest;
      if (keep) seen.add(draft.host);
      return { ...rest, firstSeen: true };
    },
  };
};

type Deps = Parameters<StartBroker>[1];

const NOBODY: Answer = { answer: 'nobody', scope: 'once' };

/** One life of the process, from its start to its end. */
type Life = {
  readonly process: SpawnedProcess;
  readonly ready: Promise<Result<void, BrokerFailure>>;
  readonly closed: Promise<void>;
  readonly ended: Promise<string>;
};

/** Makes a `StartBroker`; the options are seams for shells and tests. */
export const createStartBroker =
  (options: StartBrokerOptions = {}): StartBroker =>
  async (spec, deps: Deps, scope, signal) => {
    const clock = options.clock ?? systemClock;
    const spawn = options.spawn ?? forkProcess;
    const entry = options.entry ?? defaultEntry();
    if (signal.aborted) return fail('broker.failed', 'The start of the broker was called off.');

    const hostAuthorities = await readHostAuthorities(options.env ?? process.env);
    const named = spec.upstreamAuthorities.map(certificatesIn);
    if (named.some((certificates) => !certificates.some(isCertificate))) {
      return fail(
        'broker.failed',
        'An upstream authority that was named is not a PEM certificate.',
        'Give --upstream-ca a PEM file.',
      );
    }
    const trusted = uniqueCertificates([...hostAuthorities, ...named.flat()]).filter(isCertificate);
    const authority = await createSessionAuthority(spec.session, clock.now());
    let sent = processSpec(spec, authority, trusted);

    const childEnv = {
      UV_THREADPOOL_SIZE: LOOKUP_THREADS,
      ...(options.compileCache === undefined ? {} : { NODE_COMPILE_CACHE: options.compileCache }),
    };
    const firstSeen = createFirstSeen();
    let linked = false;
    let closing: Promise<void> | undefined;
    const linkWaiters = new Set<() => void>();

    const onDrafts = (drafts: readonly BrokerDraft[]): void => {
      deps.onEvents(
        drafts.map((draft) => (draft.kind === 'egress' ? firstSeen.mark(draft, true) : draft)),
      );
    };

    const live = (): Life => {
      const child = spawn(entry, childEnv);
      const readiness = Promise.withResolvers<Result<void, BrokerFailure>>();
      const closure = Promise.withResolvers<void>();
      const end = Promise.withResolvers<string>();
      const questions = new Map<QuestionId, AbortController>();
      child.onExit((how) => {
        for (const waiting of questions.values()) waiting.abort();
        const words = `The broker process ended (${how}). ${child.lastWords()}`.trim();
        readiness.resolve(fail('broker.failed', words));
        closure.resolve();
        end.resolve(how);
      });
      const send = (message: SentToProcess): void => child.send(message);
      child.onMessage((raw) => {
        const parsed = FromProcess.safeParse(raw);
        if (!parsed.success) {
          // It parses what the sandbox sends; one message out of line and it is not trusted any more.
          deps.onEvents([
            {
              kind: 'gap',
              at: isoTime(clock.now()),
              source: 'broker',
              lost: 0,
              message: 'The broker process sent a message out of line and was stopped.',
            },
          ]);
          child.kill();
          return;
        }
        const message = parsed.data;
        switch (message.type) {
          case 'ready':
            readiness.resolve(ok(undefined));
            return;
          case 'failed':
            readiness.resolve(fail(message.code, message.message));
            child.kill();
            return;
          case 'linked':
            linked = true;
            for (const waiter of linkWaiters) waiter();
            return;
          case 'events':
            onDrafts(message.drafts);
            send({ type: 'taken' });
            return;
          case 'open':
            deps.onOpen(firstSeen.mark(message.draft, false));
            return;
          case 'identify':
            deps.identify(message.flow).then(
              (program) => send({ type: 'program', id: message.id, program }),
              () => send({ type: 'program', id: message.id }),
            );
            return;
          case 'ask': {
            const { id, question } = message;
            // An id of an open question: the answer to one would be the answer to the other.
            if (questions.has(id)) {
              child.kill();
              return;
            }
            const waiting = new AbortController();
            questions.set(id, waiting);
            const settle = (answer: Answer): void => {
              questions.delete(id);
              send({ type: 'answer', id, ...answer });
            };
            const asked = deps.ask?.(id, question, waiting.signal) ?? Promise.resolve(NOBODY);
            asked.then(settle, () => settle(NOBODY));
            return;
          }
          case 'withdraw':
            questions.get(message.id)?.abort();
            return;
          case 'rotated': {
            const { credential, refreshToken } = message;
            const renewed = withRotated(sent, credential, refreshToken);
            // Not one of this session's: nothing of what it says is stored.
            if (renewed === undefined) return;
            sent = renewed.spec;
            deps.onRotated(credential, renewed.secret);
            return;
          }
          case 'closed':
            closure.resolve();
            return;
        }
      });
      child.send({ type: 'start', spec: sent } satisfies SentToProcess);
      return {
        process: child,
        ready: readiness.promise,
        closed: closure.promise,
        ended: end.promise,
      };
    };

    const untilReady = async (life: Life): Promise<Result<void, BrokerFailure>> => {
      const timer = new AbortController();
      const timeout = sleep(clock, READY_TIMEOUT_MS, timer.signal).then(
        (): Result<void, BrokerFailure> =>
          fail('broker.failed', 'The broker process did not come up in time.'),
        (): Result<void, BrokerFailure> => ok(undefined),
      );
      const result = await Promise.race([life.ready, timeout]);
      timer.abort();
      if (!result.ok) life.process.kill();
      return result;
    };

    let current = live();
    const onAbort = (): void => current.process.kill();
    signal.addEventListener('abort', onAbort, { once: true });
    const first = await untilReady(current);
    signal.removeEventListener('abort', onAbort);
    if (!first.ok) return first;

    const stopped = new AbortController();
    const supervise = async (): Promise<void> => {
      let wait = RESTART_FIRST_MS;
      for (;;) {
        const bornAt = clock.monotonic();
        const how = await current.ended;
        if (stopped.signal.aborted) return;
        linked = false;
        if (clock.monotonic() - bornAt > STEADY_MS) wait = RESTART_FIRST_MS;
        deps.onEvents([
          {
            kind: 'gap',
            at: isoTime(clock.now()),
            source: 'broker',
            lost: 0,
            message: 'The broker process ended; what it had not yet told is lost.',
          },
        ]);
        deps.onState('down', `The broker process ended (${how}).`);
        for (;;) {
          try {
            await sleep(clock, wait, stopped.signal);
          } catch {
            // Closed while it was down: there is nothing left to bring back.
            return;
          }
          wait = Math.min(wait * 2, RESTART_MOST_MS);
          current = live();
          const again = await untilReady(current);
          if (stopped.signal.aborted) {
            current.process.kill();
            return;
          }
          if (again.ok) break;
        }
        deps.onState('up', 'The broker process is back.');
      }
    };
    const supervised = supervise();

    const close = (): Promise<void> =>
      (closing ??= (async () => {
        stopped.abort();
        const life = current;
        life.process.send({ type: 'close' } satisfies SentToProcess);
        const timer = new AbortController();
        await Promise.race([
          life.closed,
          sleep(clock, CLOSE_TIMEOUT_MS, timer.signal).catch(() => undefined),
        ]);
        timer.abort();
        life.process.kill();
        await life.ended;
        await supervised;
      })());
    scope.defer(close);

    const broker: Broker = {
      authority,
      trustBundle: [...trusted, authority.certificatePem].join(''),
      linked: (waitSignal) =>
        new Promise((resolve) => {
          const settle = (result: Result<void, BrokerFailure>): void => {
            linkWaiters.delete(onLinked);
            waitSignal.removeEventListener('abort', onGiveUp);
            stopped.signal.removeEventListener('abort', onGiveUp);
            resolve(result);
          };
          const onLinked = (): void => settle(ok(undefined));
          const onGiveUp = (): void =>
            settle(fail('gateway.failed', 'The gateway did not connect to the broker.'));
          if (linked) {
            resolve(ok(undefined));
            return;
          }
          if (waitSignal.aborted || stopped.signal.aborted) {
            onGiveUp();
            return;
          }
          linkWaiters.add(onLinked);
          waitSignal.addEventListener('abort', onGiveUp, { once: true });
          stopped.signal.addEventListener('abort', onGiveUp, { once: true });
        }),
      watch: (set) => {
        // Kept for the next life: a fresh process watches from its first connection on.
        sent = { ...sent, watch: set };
        current.process.send({ type: 'watch', set } satisfies SentToProcess);
      },
      close,
    };
    return ok(broker);
  };
