import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Duplex } from 'node:stream';
import { failure, ok, type Clock } from '../../kit/index.ts';
import { http2Call } from './call-http2.ts';
import { http2Caller, sendHttp2Refusal } from './caller-http2.ts';
import type { Exchange, Exchanges } from './exchange.ts';
import { forward } from './forward.ts';
import type { ForwardDeps, Outgoing } from './passage.ts';
import { withoutPseudo } from './http2-headers.ts';
import {
  MAX_STREAMS,
  SESSION_LIMITS,
  SESSION_SETTINGS,
  SESSION_WINDOW_BYTES,
} from './http2-limits.ts';
import type { Http2Pool } from './http2-pool.ts';
import { requestFacts, type Approach, type JudgeRequest } from './judge-request.ts';
import { refusalStatus, refusalVerdict, type Refusal } from './refuse.ts';
import { fieldOf } from './field-name.ts';
import { readHttp2Head } from './request-head-http2.ts';
import { KEEP_ALIVE_MS } from './caller-http1.ts';
import { CLOSE_LINGER_MS } from './serve-http1.ts';
import { readUpgrade, type Upgrade } from './upgrade.ts';

const { NGHTTP2_FLAG_END_STREAM, NGHTTP2_INTERNAL_ERROR } = constants;

export type ServeHttp2Deps = {
  readonly clock: Clock;
  readonly exchanges: Exchanges;
  readonly judge: JudgeRequest;
  readonly forward: ForwardDeps;
  readonly pool: Http2Pool;
  readonly upgrades: readonly Upgrade[];
};

export type ServeHttp2 = {
  /** Takes a stream over. `extended`: the server behind takes extended CONNECT, so the program may use it. */
  readonly take: (
    outer: Duplex,
    carrier: Duplex,
    seat: { readonly approach: Approach; readonly extended: boolean },
  ) => void;
  readonly close: () => void;
};

/** Serves HTTP/2 to programs inside, with Node's nghttp2. */
export const createServeHttp2 = (deps: ServeHttp2Deps): ServeHttp2 => {
  const { clock, exchanges, judge } = deps;
  const protocols = new Set(deps.upgrades.map(({ protocol }) => protocol));
  const sessions = new Set<ServerHttp2Session>();

  const carry = (
    approach: Approach,
    stream: ServerHttp2Stream,
    head: { readonly raw: readonly string[]; readonly last: boolean },
    exchange: Exchange,
    done: () => void,
  ): void => {
    const { to, program } = approach;
    const asked = withoutPseudo(head.raw);
    const grpc = fieldOf(asked, 'content-type')?.startsWith('application/grpc') === true;
    const how = { last: head.last, grpc, head: head.raw[1] === 'HEAD' };
    const read = readHttp2Head(head, to, protocols);
    const upgrade = read.ok ? readUpgrade(deps.upgrades, read.value, to, 'h2') : ok(undefined);
    const judgedHead = !read.ok
      ? read
      : upgrade.ok
        ? ok({ ...read.value, headers: upgrade.value?.headers ?? read.value.headers })
        : upgrade;
    const headers = read.ok ? read.value.headers : asked;
    const at = head.raw.indexOf(':path');
    const target = at < 0 ? '' : (head.raw[at + 1] ?? '');
    const judged = judge(approach, { target, headers, head: judgedHead }, exchange);
    if (!judged.ok) {
      exchange.refuse(judged.error, refusalVerdict(judged.error));
      exchange.set({ status: refusalStatus(judged.error) });
      sendHttp2Refusal(clock, stream, judged.error, how);
      done();
      return;
    }
    const outgoing: Outgoing = {
      to,
      head: judged.value.head,
      program,
      ...judged.value.mediation,
      ...(upgrade.ok && upgrade.value !== undefined ? { upgrade: upgrade.value } : {}),
    };
    const caller = http2Caller(clock, stream, how);
    forward(deps.forward, outgoing, caller, http2Call(deps.pool, to), exchange, done);
  };

  const recordBroken = ({ to, program }: Approach, refusal: Refusal): void => {
    const exchange = exchanges.begin(requestFacts(to, 'h2'), program);
    exchange.refuse(refusal);
    exchange.finish();
  };

  return {
    take: (outer, carrier, { approach, extended }) => {
      const session = performServerHandshake(outer, {
        ...SESSION_LIMITS,
        settings: {
          ...SESSION_SETTINGS,
          maxConcurrentStreams: MAX_STREAMS,
          enableConnectProtocol: extended && protocols.size > 0,
        },
      });
      sessions.add(session);
      let active = 0;
      session.setTimeout(KEEP_ALIVE_MS, () => {
        if (active === 0) session.close();
      });
      // A program that does not end its side after ours would hold the connection for good.
      outer.once('finish', () => {
        const cancel = clock.after(CLOSE_LINGER_MS, () => carrier.destroy());
        carrier.once('close', cancel);
      });
      session.once('close', () => {
        sessions.delete(session);
        carrier.destroy();
      });
      session.on('error', (failed: NodeJS.ErrnoException) => {
        const code = failed.code ?? 'failed';
        if (code !== 'ECONNRESET' && code !== 'EPIPE') {
          const why = `The program broke the HTTP/2 protocol (${code}).`;
          recordBroken(approach, failure('egress.bad-request', why));
        }
        session.destroy();
      });
      session.setLocalWindowSize(SESSION_WINDOW_BYTES);
      session.on('stream', (stream, headers, flags, raw) => {
        active += 1;
        stream.on('error', () => undefined);
        stream.once('close', () => {
          active -= 1;
        });
        const method = headers[':method'] ?? '';
        const path = headers[':path'] ?? '';
        const { to, program } = approach;
        const exchange = exchanges.begin({ ...requestFacts(to, 'h2'), method, path }, program);
        const done = (): void => exchange.finish();
        const last = (flags & NGHTTP2_FLAG_END_STREAM) !== 0;
        try {
          carry(approach, stream, { raw, last }, exchange, done);
        } catch {
          // A request that trips over our own code must not take the other streams along.
          exchange.refuse(failure('egress.bad-request', 'The request could not be carried out.'));
          done();
          stream.close(NGHTTP2_INTERNAL_ERROR);
        }
        // Nothing on this connection will ever pass: the next try belongs on a new one.
        if (approach.refusal !== undefined) session.close();
      });
    },
    close: () => {
      for (const session of sessions) session.destroy();
    },
  };
};
