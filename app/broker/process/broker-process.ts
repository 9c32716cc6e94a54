import { createSecureContext } from 'node:tls';
import type { EgressDraft } from '../../contract/index.ts';
import type { Clock } from '../../kit/index.ts';
import type { ProcessSpec, ToProcess } from '../orders.ts';
import type { FromProcess } from '../protocol.ts';
import { createAsker } from './asker.ts';
import { createDestinationOf, type DestinationOf } from './captured-socket.ts';
import { cleanProgram } from './clean-program.ts';
import { createCredentialBook } from './credential-book.ts';
import { createDial } from './dial.ts';
import { createDnsServer } from './dns-server.ts';
import { createDnsZone } from './dns-zone.ts';
import { createExchanges } from './exchange.ts';
import { createHttp2Pool } from './http2-pool.ts';
import { createProtocolChoice } from './protocol-choice.ts';
import { createIdentifier } from './identify.ts';
import { createIntercept } from './intercept.ts';
import { createLeafCache } from './leaf-cache.ts';
import { createLink } from './link.ts';
import { createMemoryGuard, type MemoryLimits } from './memory-guard.ts';
import { createMediators } from './mediators/mediators.ts';
import { createNativeSockets } from './native-sockets.ts';
import { createRecorder } from './recorder.ts';
import { createResolve } from './resolve.ts';
import { settleWhenQuiet } from './settle.ts';
import { createUpstreamPool } from './upstream-pool.ts';
import { createWebSocketUpgrade } from './websocket/upgrade.ts';
import { createWires } from './wires/wires.ts';

export type BrokerProcess = {
  readonly onMessage: (message: Exclude<ToProcess, { type: 'start' }>) => void;
  /** Stops taking connections, ends those under way, and writes every record. */
  readonly close: () => Promise<void>;
};

/** Bytes in use once the garbage is gone. */
const needed = (): number => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

export type BrokerOptions = {
  /** Absent, the kernel says where a captured connection was going. */
  readonly destinationOf?: DestinationOf;
  readonly memory?: MemoryLimits;
};

/** Puts one session's broker together and listens. */
export const runBroker = async (
  spec: ProcessSpec,
  clock: Clock,
  send: (message: FromProcess) => void,
  options: BrokerOptions = {},
): Promise<BrokerProcess> => {
  const recorder = createRecorder(clock, (drafts) => send({ type: 'events', drafts: [...drafts] }));
  const memory = createMemoryGuard(
    { clock, resident: () => process.memoryUsage.rss(), needed },
    options.memory,
  );
  const book = createCredentialBook(spec.credentials);
  if (spec.watch !== undefined) book.watch(spec.watch);
  const redact = (text: string): string => book.scrubber().text(text).text;
  const identifier = createIdentifier(clock, (id, flow) => send({ type: 'identify', id, flow }));
  const zone = createDnsZone(clock, crypto.getRandomValues(new Uint32Array(1))[0] ?? 0);
  const dns = createDnsServer({
    clock,
    policy: spec.network,
    zone,
    record: recorder.record,
    nameTrip: book.nameTrip,
    onTrip: (finding, program) => {
      if (finding.type === 'placeholder') {
        const { credential } = finding.grant;
        exchanges.credential(
          { op: 'tripped', credential, host: 'dns', code: 'grant.wrong-place' },
          program,
        );
      }
    },
  });
  const exchanges = createExchanges({
    clock,
    record: recorder.record,
    room: recorder.room,
    crowded: memory.crowded,
    open: (draft: EgressDraft) => send({ type: 'open', draft }),
    redact,
  });
  const asker = createAsker({ clock, send, redact });
  const upstreamTrust = createSecureContext({
    ca: [...spec.upstreamAuthorities],
    minVersion: 'TLSv1.2',
  });
  const dial = createDial(clock, createResolve(spec.network, clock), upstreamTrust);
  const pool = createUpstreamPool(clock, dial);
  const http2Pool = createHttp2Pool(clock, dial, (to) => protocol.forget(to));
  const protocol = createProtocolChoice(clock, dial, {
    h2: http2Pool.adopt,
    'http/1.1': (to, dialled) => {
      pool.park(to, dialled);
      return true;
    },
  });
  const leaves = createLeafCache(spec.authority, clock.now);
  const policy = spec.network;
  const native = createNativeSockets();
  const wires = createWires({
    clock,
    policy,
    zone,
    leaves,
    book,
    exchanges,
    dial,
    upstreamTrust,
    native,
  });
  const intercept = createIntercept({
    clock,
    policy,
    zone,
    leaves,
    book,
    exchanges,
    pool,
    http2Pool,
    protocol,
    mediators: createMediators({
      book,
      clock,
      git: policy.git,
      asker,
      onRotated: (credential, refreshToken) => send({ type: 'rotated', credential, refreshToken }),
    }),
    asker,
    upgrades: [createWebSocketUpgrade({ clock, book, exchanges })],
    routes: wires.routes,
    patience: wires.patience,
  });
  const link = createLink({
    clock,
    native,
    destinationOf: options.destinationOf ?? createDestinationOf(native),
    intercept,
    dns,
    exchanges,
    identify: identifier.ask,
    onLinked: () => send({ type: 'linked' }),
  });
  await link.listen(spec.linkFolder);
  const cancelSettling = settleWhenQuiet(clock, exchanges.begun);

  return {
    onMessage: (message) => {
      if (message.type === 'program') {
        const { id, program } = message;
        identifier.answered(id, program === undefined ? undefined : cleanProgram(program, redact));
      } else if (message.type === 'taken') recorder.taken();
      else if (message.type === 'watch') book.watch(message.set);
      else if (message.type === 'answer') asker.answered(message.id, message);
    },
    close: async () => {
      cancelSettling();
      memory.close();
      link.close();
      intercept.close();
      pool.close();
      http2Pool.close();
      dns.flush();
      // Records of connections that have just ended wait a moment for their program's name.
      await new Promise<void>((resolve) => {
        clock.after(CLOSE_GRACE_MS, resolve);
      });
      await recorder.flush();
    },
  };
};

/** How long the last connections' records may wait for the name of their program, in milliseconds. */
export const CLOSE_GRACE_MS = 350;
