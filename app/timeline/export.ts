import type { TimelineEvent } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import type { TimelineReader } from './port.ts';

const EXPORT_PAGE_EVENTS = 500;

/** All events, oldest first, as they are now. Throws a `FailureError` where the store cannot be read. */
export const eachEvent = function* (reader: TimelineReader, after = 0): Generator<TimelineEvent> {
  for (let last = after; ;) {
    const events = unwrap(reader.since(last, EXPORT_PAGE_EVENTS));
    yield* events;
    const newest = events.at(-1);
    if (newest === undefined) return;
    last = newest.seq;
  }
};

/** One JSON object a line, each with its line break. Absent means unknown. */
export const exportJsonl = function* (reader: TimelineReader, after = 0): Generator<string> {
  for (const event of eachEvent(reader, after)) yield `${JSON.stringify(event)}\n`;
};

type Egress = Extract<TimelineEvent, { kind: 'egress' }>;

const HTTP_VERSIONS: Partial<Record<Egress['protocol'], string>> = {
  h1: 'HTTP/1.1',
  h2: 'HTTP/2',
  ws: 'HTTP/1.1',
};

const queryOf = (path: string): { name: string; value: string }[] => {
  const query = path.includes('?') ? path.slice(path.indexOf('?') + 1) : '';
  return Array.from(new URLSearchParams(query), ([name, value]) => ({ name, value }));
};

const harEntry = (event: Egress): Record<string, unknown> => {
  const path = event.path ?? '/';
  const usual = event.scheme === 'https' ? 443 : 80;
  const name = event.host.includes(':') ? `[${event.host}]` : event.host;
  const authority = event.port === usual ? name : `${name}:${event.port}`;
  const httpVersion = HTTP_VERSIONS[event.protocol] ?? '';
  return {
    startedDateTime: event.at,
    time: event.durationMs,
    request: {
      method: event.method ?? '',
      url: `${event.scheme}://${authority}${path}`,
      httpVersion,
      cookies: [],
      headers: [],
      queryString: queryOf(path),
      headersSize: -1,
      bodySize: event.bytesOut,
    },
    response: {
      // HAR has no refusals: 0 is what browsers write for a request that got no answer.
      status: event.verdict === 'denied' ? 0 : (event.status ?? 0),
      statusText: event.code ?? '',
      httpVersion,
      cookies: [],
      headers: [],
      content: { size: event.bytesIn, mimeType: '' },
      redirectURL: '',
      headersSize: -1,
      bodySize: event.bytesIn,
    },
    cache: {},
    timings: { send: -1, wait: event.durationMs, receive: -1 },
    ...(event.address === undefined ? {} : { serverIPAddress: event.address }),
    _glovebox: {
      seq: event.seq,
      verdict: event.verdict,
      code: event.code,
      rule: event.rule,
      credential: event.credential,
      program: event.program,
    },
  };
};

/**
 * The HTTP requests as HAR 1.2, in pieces. Headers and bodies are not on record and stay empty;
 * tunnels, names and touches have no place in it.
 */
export const exportHar = function* (reader: TimelineReader, version: string): Generator<string> {
  const creator = JSON.stringify({ name: 'Glovebox', version });
  yield `{"log":{"version":"1.2","creator":${creator},"entries":[`;
  let separator = '';
  for (const event of eachEvent(reader)) {
    if (event.kind !== 'egress' || (event.scheme !== 'http' && event.scheme !== 'https')) continue;
    yield `${separator}${JSON.stringify(harEntry(event))}`;
    separator = ',\n';
  }
  yield ']}}\n';
};
