import type { Duplex } from 'node:stream';
import { failure, type Clock } from '../../../kit/index.ts';
import { allowsRaw } from '../../../policy/enforce.ts';
import type { CanonicalHost, NamedRule, NetworkPolicy } from '../../../policy/index.ts';
import type {
  CapturedConnection,
  ConnectionRoute,
  Patience,
  RouteWays,
} from '../connection-route.ts';
import type { Dial } from '../dial.ts';
import type { Exchanges } from '../exchange.ts';
import { FIRST_MESSAGE_MS, MAX_REQUEST_LINE_BYTES, sniff, type Sniffed } from '../sniff.ts';
import { dialFailed, RAW_IDLE_MS, type Carry } from './carry.ts';
import { readFirst } from './read-first.ts';
import { resetSocket } from './splice.ts';
import { readWebLike } from './web-like.ts';

/**
 * How long a program may stay silent towards a named raw destination before the server is dialled, in
 * milliseconds: where the server speaks first, this is what the program waits in vain.
 */
export const RAW_SILENCE_MS = 250;
/** How long a program that has said nothing is waited for once its server could not be reached, in milliseconds. */
export const LATE_WORD_MS = 3000;

export type RawTcpDeps = {
  readonly clock: Clock;
  readonly policy: NetworkPolicy;
  readonly dial: Dial;
  readonly exchanges: Exchanges;
  readonly carry: Carry;
  /** Destinations whose protocol the broker speaks itself: there nothing goes by unread. */
  readonly spoken: (host: CanonicalHost, port: number) => boolean;
};

export type RawTcp = { readonly route: ConnectionRoute; readonly patience: Patience };

type Speaker = 'inside' | 'outside' | 'nobody';

const isWeb = ({ type }: Sniffed): boolean => type === 'tls' || type === 'http' || type === 'http2';

/** Waits until one side has something to read, be it its end. */
const firstSpeaker = (inside: Duplex, outside: Duplex, clock: Clock): Promise<Speaker> =>
  new Promise((resolve) => {
    const finish = (speaker: Speaker): void => {
      cancel();
      for (const event of ['readable', 'close'] as const) {
        inside.removeListener(event, onInside);
        outside.removeListener(event, onOutside);
      }
      resolve(speaker);
    };
    const onInside = (): void => finish('inside');
    const onOutside = (): void => finish('outside');
    const cancel = clock.after(RAW_IDLE_MS, () => finish('nobody'));
    for (const event of ['readable', 'close'] as const) {
      inside.on(event, onInside);
      outside.on(event, onOutside);
    }
    if (inside.destroyed || inside.readableLength > 0) onInside();
  });

/** Looks at what waits to be read; what never says what it is counts as neither TLS nor HTTP. */
const isWebLike = async (inside: Duplex, clock: Clock): Promise<boolean> => {
  const limits = { maxBytes: MAX_REQUEST_LINE_BYTES, withinMs: FIRST_MESSAGE_MS };
  const read = await readFirst(inside, clock, limits, (bytes) => {
    const value = readWebLike(bytes);
    return value === undefined ? undefined : { value, used: 0 };
  });
  return 'value' in read && read.value === 'web';
};

/**
 * Passes bytes that are neither TLS nor HTTP to the one host and port that a rule names for them, as
 * they are. A server that speaks first is heard; a program that speaks TLS or HTTP first is taken as
 * everywhere else, whatever the rule.
 */
export const createRawTcp = (deps: RawTcpDeps): RawTcp => {
  const { clock, policy, dial, exchanges, carry, spoken } = deps;

  const ruleFor = (host: CanonicalHost, port: number): NamedRule | undefined =>
    spoken(host, port) ? undefined : allowsRaw(policy, host, port);

  const run = async (
    { socket, host, port, first, program }: CapturedConnection,
    rule: NamedRule,
    ways: RouteWays,
  ): Promise<void> => {
    const exchange = exchanges.begin(
      {
        verdict: 'allowed',
        scheme: 'tcp',
        host,
        port,
        protocol: 'tcp',
        inspected: false,
        rule: rule.words,
        bytesOut: 0,
        bytesIn: 0,
      },
      program,
    );
    const refuseWeb = (): void => {
      const why = `What was sent to ${host} is nearly TLS or HTTP, and neither: it is not passed on unread.`;
      exchange.refuse(failure('egress.unknown-protocol', why));
      exchange.finish();
      resetSocket(socket);
    };
    if (first.type === 'unknown' && (await isWebLike(socket, clock))) {
      refuseWeb();
      return;
    }
    const to = { host, port, tls: false };
    const dialled = await dial(to);
    if (!dialled.ok) {
      // A program of the web that is only slow shall read why, in the words of its protocol.
      const said = first.type === 'silent' ? await sniff(socket, clock, LATE_WORD_MS) : first;
      if (isWeb(said)) ways.reenter(socket, { host, port }, program);
      else dialFailed(socket, exchange, dialled.error);
      return;
    }
    const { socket: outside, address } = dialled.value;
    exchange.set({ address });
    if (first.type === 'silent') {
      const speaker = await firstSpeaker(socket, outside, clock);
      if (speaker === 'nobody') {
        exchange.refuse(
          failure('egress.timeout', `Neither side of ${host} said anything.`),
          'allowed',
        );
        exchange.finish();
        resetSocket(socket);
        resetSocket(outside);
        return;
      }
      if (speaker === 'inside' && !socket.readableEnded && socket.readableLength > 0) {
        if (isWeb(await sniff(socket, clock))) {
          // Nothing was sent that way, and this exchange never was: the next one has the record.
          resetSocket(outside);
          ways.reenter(socket, { host, port }, program);
          return;
        }
        if (await isWebLike(socket, clock)) {
          resetSocket(outside);
          refuseWeb();
          return;
        }
      }
    }
    exchange.open();
    await carry({ inside: socket, outside, to, program, exchange, readable: true });
  };

  return {
    route: (connection, ways) => {
      const { first, host, port, socket } = connection;
      if (first.type !== 'silent' && first.type !== 'unknown') return false;
      const rule = ruleFor(host, port);
      if (rule === undefined) return false;
      run(connection, rule, ways).catch(() => socket.destroy());
      return true;
    },
    patience: (host, port) => (ruleFor(host, port) === undefined ? undefined : RAW_SILENCE_MS),
  };
};
