import { failure } from '../../kit/index.ts';
import type { Call, CallFailure, StartCall } from './http-call.ts';
import type { Http1Connection, Http1Events } from './http1/connection.ts';
import { writeRequestHead } from './http1/written-head.ts';
import type { Destination } from './inject.ts';
import type { UpstreamPool } from './upstream-pool.ts';

/** Most interim answers of one request; past it the rest is dropped. */
export const MAX_INTERIM_ANSWERS = 16;

/** Requests over kept HTTP/1.1 connections. */
export const http1Call =
  (pool: UpstreamPool, to: Destination): StartCall =>
  (head, events): Call => {
    let over = false;
    let interim = 0;
    let connection: Http1Connection | undefined;
    const fail = (of: CallFailure): void => {
      if (over) return;
      over = true;
      events.onFailure(of);
    };
    const told: Http1Events = {
      onInterim: ({ status, headers }) => {
        interim += 1;
        if (over || interim > MAX_INTERIM_ANSWERS) return;
        if (status === 100) events.onContinue();
        else events.onInformation(status, headers);
      },
      onAnswer: ({ head: { status, reason, headers }, body, trailers }) => {
        if (over) return;
        events.onAnswer({
          status,
          reason,
          headers,
          body,
          last: false,
          trailers,
          resetCode: () => undefined,
        });
      },
      onUpgrade: ({ status, headers }, end) => {
        if (over) {
          end.stream.destroy();
          return;
        }
        over = true;
        events.onUpgrade({ status, headers }, end);
      },
      onBreak: ({ why, silent, unheard }) => {
        const refusal = silent
          ? failure('egress.timeout', `${to.host} was silent for too long.`)
          : failure('egress.upstream-broke', `${to.host} broke off the exchange (${why}).`);
        fail({ refusal, unprocessed: unheard ? 'perhaps' : 'no' });
      },
    };
    const written = writeRequestHead(head);
    if (typeof written !== 'string') {
      const why = `The request has ${written.malformed}.`;
      fail({ refusal: failure('egress.bad-request', why), unprocessed: 'no' });
      return { cancel: () => undefined };
    }
    const untake = pool.take(to, (taken) => {
      if (!taken.ok) {
        const { error } = taken;
        if (error.address !== undefined) events.onAddress(error.address);
        fail({ refusal: error, unprocessed: 'no' });
        return;
      }
      connection = taken.value;
      events.onAddress(connection.address);
      const body = connection.begin(head, written, told);
      if (body === undefined) return;
      try {
        events.onReady(body);
      } catch {
        // A request that trips over our own code must not take the others along.
        connection.abandon(told);
        const why = 'The request could not be carried out.';
        fail({ refusal: failure('egress.bad-request', why), unprocessed: 'no' });
      }
    });
    return {
      cancel: () => {
        over = true;
        untake();
        connection?.abandon(told);
      },
    };
  };
