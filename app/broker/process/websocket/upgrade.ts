import { failure, type Clock } from '../../../kit/index.ts';
import type { CredentialBook } from '../credential-book.ts';
import type { Exchanges } from '../exchange.ts';
import { caught } from '../judge-request.ts';
import type { Hit } from '../search.ts';
import type { Refusal } from '../refuse.ts';
import type { Upgrade, UpgradedEnds } from '../upgrade.ts';
import type { FrameFlow } from './incoming.ts';
import { createScrubbedFrames } from './incoming.ts';
import { isExtended, readHandshake, readHandshakeAnswer, upstreamHandshake } from './handshake.ts';
import { IDLE_WEBSOCKET_MS, joinWebSocket, type WebSocketEnd } from './join.ts';
import { createCheckedFrames, createSearchedFrames } from './outgoing.ts';

export type WebSocketDeps = {
  readonly clock: Clock;
  readonly book: CredentialBook;
  readonly exchanges: Exchanges;
};

/**
 * WebSockets (RFC 6455, and over HTTP/2 RFC 8441). Where the session has nothing to look for, frames
 * are checked for their form and pass untouched, extensions included; else those of the program are
 * searched, and those of the server scrubbed.
 */
export const createWebSocketUpgrade = ({ clock, book, exchanges }: WebSocketDeps): Upgrade => {
  // Whatever the destination: a placeholder may go out to any, and a secret told to one may come back from another.
  const mustRead = (): boolean => book.scrubber().active;

  const flows = ({
    request: { to },
    used,
    answer,
  }: UpgradedEnds): { outgoing: FrameFlow; incoming: FrameFlow } =>
    mustRead() && !isExtended(answer.headers)
      ? {
          outgoing: createSearchedFrames(() => book.bodyTrip({ to, used })),
          incoming: createScrubbedFrames(book.scrubber),
        }
      : {
          outgoing: createCheckedFrames('client', isExtended(answer.headers)),
          incoming: createCheckedFrames('server', isExtended(answer.headers)),
        };

  const refusalOf = (end: WebSocketEnd, { request }: UpgradedEnds): Refusal | undefined => {
    const { host } = request.to;
    if (end.type === 'broke') {
      return end.side === 'program'
        ? failure('egress.aborted', 'The program inside broke off.')
        : failure('egress.upstream-broke', `${host} broke off the WebSocket.`);
    }
    if (end.type === 'silent') {
      const minutes = String(IDLE_WEBSOCKET_MS / 60_000);
      return failure('egress.timeout', `The WebSocket was silent for ${minutes} minutes.`);
    }
    if (end.type === 'failed') {
      const who = end.side === 'program' ? 'The program inside' : host;
      const why = `${who} broke the WebSocket protocol. ${end.failure.message}`;
      return failure('egress.websocket-frame', why);
    }
    return undefined;
  };

  return {
    protocol: 'websocket',
    prepare: (request) => {
      const handshake = readHandshake(request);
      if (!handshake.ok) return handshake;
      return { ok: true, value: upstreamHandshake(request.headers, mustRead()) };
    },
    confirm: (request, answer) => {
      const handshake = readHandshake(request);
      if (!handshake.ok) return handshake;
      const redact = (text: string): string => book.scrubber().text(text).text;
      return readHandshakeAnswer(handshake.value, answer, mustRead(), redact);
    },
    join: async (ends) => {
      const { request, exchange, inner, outer, program, answer } = ends;
      exchange.set({ protocol: 'ws', status: answer.status });
      // It may last: the live view shows from now on what it is.
      exchange.open();
      let found: Refusal | undefined;
      const onTrip = (hit: Hit): Refusal => {
        const finding = book.findingOf(hit);
        found ??=
          finding === undefined
            ? failure('grant.wrong-place', 'A placeholder stood in a WebSocket message.')
            : caught(exchanges, { to: request.to, program }, finding, 'a WebSocket message');
        return found;
      };
      if (inner.early.length > 0) {
        // RFC 6455 4.1: nothing is sent before the answer. Servers would read it in two ways.
        inner.stream.destroy();
        outer.stream.destroy();
        exchange.refuse(
          failure('egress.bad-request', 'The program sent data before the WebSocket was open.'),
        );
        return;
      }
      if (outer.early.length > 0) outer.stream.unshift(outer.early);
      const end = await joinWebSocket({
        clock,
        program: inner.stream,
        server: outer.stream,
        ...flows(ends),
        onProgress: ({ bytesOut, bytesIn, hits }) =>
          exchange.set({ bytesOut, bytesIn, ...(hits === 0 ? {} : { scrubbed: hits }) }),
        tripReason: (hit) => onTrip(hit).code,
      });
      if (found !== undefined) exchange.refuse(found, 'denied');
      const refusal = refusalOf(end, ends);
      if (refusal !== undefined) exchange.refuse(refusal, 'allowed');
    },
  };
};
