import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import {
  constants,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { join } from 'node:path';
import { z } from 'zod';
import type { Program } from '../../contract/index.ts';
import { failure } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import { MAX_DNS_QUERY_BYTES } from './dns-message.ts';
import type { DnsServer } from './dns-server.ts';
import { parseEndpoint } from './endpoint.ts';
import type { Exchanges } from './exchange.ts';
import { flowOf } from './identify.ts';
import type { Intercept } from './intercept.ts';
import type { Refusal } from './refuse.ts';

/** Name of the socket in the session's link folder. */
export const LINK_SOCKET = 'link.sock';
/** Most relays at once: the one that is there, and its successor while the old one is found dead. */
export const MAX_LINK_SESSIONS = 4;
/** Most captured connections and questions at once. */
export const MAX_LINK_STREAMS = 4096;
/** Bytes that may be under way on one stream before its reader has taken them. */
export const STREAM_WINDOW_BYTES = 1024 * 1024;
/** Bytes that may be under way on all streams of a relay together. */
export const SESSION_WINDOW_BYTES = 256 * 1024 * 1024;
/** Memory that one relay's streams may take, in megabytes (Node's unit). */
export const SESSION_MEMORY_MEGABYTES = 1024;
/** Where sandboxes send their questions (an address of TEST-NET-1 that the engine writes): only the way to ask for the program. */
const RESOLVER = '192.0.2.53:53';
/** Largest report or greeting of the relay, in bytes. */
export const MAX_REPORT_BYTES = 4096;

const Report = z.strictObject({
  family: z.union([z.literal(4), z.literal(6)]),
  source: z.string().max(64),
  destination: z.string().max(64),
  bytes: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  count: z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
});
const Hello = z.strictObject({ version: z.string().max(32) });

export type LinkDeps = {
  readonly intercept: Intercept;
  readonly dns: DnsServer;
  readonly exchanges: Exchanges;
  readonly identify: (flow: Flow) => Promise<Program | undefined>;
  readonly onLinked: () => void;
};

const unknownProgram = (): Promise<Program | undefined> => Promise.resolve(undefined);

/** Reads a small request body; undefined where it is larger than allowed or breaks off. */
const readBody = (stream: ServerHttp2Stream, maxBytes: number): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    stream.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes <= maxBytes) parts.push(part);
    });
    stream.on('end', () => resolve(bytes > maxBytes ? undefined : Buffer.concat(parts)));
    stream.on('close', () => resolve(undefined));
  });

const answer = (stream: ServerHttp2Stream, status: number, type?: string, body?: Buffer): void => {
  if (stream.destroyed || stream.headersSent) return;
  stream.respond({ ':status': status, ...(type === undefined ? {} : { 'content-type': type }) });
  stream.end(body);
};

const parseJson = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    // Not JSON: the schema refuses undefined, and with it the report.
    return undefined;
  }
};

/** Serves the gateway's relay: captured connections, questions and reports, and nothing else. */
export const createLinkServer = (deps: LinkDeps): Http2Server => {
  const sessions = new Set<ServerHttp2Session>();

  const onConnect = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    const destination = parseEndpoint(headers[':authority'] ?? '');
    const source = parseEndpoint(String(headers['glovebox-source'] ?? ''));
    if (destination === undefined) {
      answer(stream, 400);
      return;
    }
    const program =
      source === undefined ? unknownProgram() : deps.identify(flowOf('tcp', source, destination));
    stream.respond({ ':status': 200 });
    deps.intercept.accept(stream, destination, program).catch(() => {
      // Whatever went wrong, this connection is over; none goes on unjudged.
      stream.close(constants.NGHTTP2_INTERNAL_ERROR);
    });
  };

  const onReport = (kind: 'udp' | 'loop', body: Buffer | undefined): boolean => {
    const report = body === undefined ? undefined : Report.safeParse(parseJson(body));
    const data = report?.success === true ? report.data : undefined;
    const destination = data === undefined ? undefined : parseEndpoint(data.destination);
    if (data === undefined || destination === undefined) return false;
    const source = parseEndpoint(data.source);
    const flow = kind === 'udp' ? 'udp' : 'tcp';
    const program =
      source === undefined ? unknownProgram() : deps.identify(flowOf(flow, source, destination));
    const refusal: Refusal =
      kind === 'udp'
        ? failure(
            'egress.udp',
            `UDP to ${destination.address}:${String(destination.port)} was refused (${String(data.count ?? 1)} datagrams).`,
          )
        : failure('egress.loop', 'The connection went to Glovebox itself.');
    const exchange = deps.exchanges.begin(
      {
        verdict: 'denied',
        scheme: flow,
        host: destination.address,
        port: destination.port,
        protocol: flow,
        inspected: false,
        bytesOut: data.bytes ?? 0,
        bytesIn: 0,
      },
      program,
    );
    exchange.refuse(refusal);
    exchange.finish();
    return true;
  };

  const onPost = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const path = headers[':path'];
    if (path === '/dns-query' && headers['content-type'] === 'application/dns-message') {
      const query = await readBody(stream, MAX_DNS_QUERY_BYTES);
      const source = parseEndpoint(String(headers['glovebox-source'] ?? ''));
      const program =
        source === undefined
          ? unknownProgram()
          : deps.identify(flowOf('udp', source, parseEndpoint(RESOLVER) ?? source));
      const reply = query === undefined ? undefined : deps.dns.answer(query, program);
      if (reply === undefined) answer(stream, 400);
      else answer(stream, 200, 'application/dns-message', reply);
      return;
    }
    if (path === '/udp' || path === '/loop') {
      const body = await readBody(stream, MAX_REPORT_BYTES);
      answer(stream, onReport(path === '/udp' ? 'udp' : 'loop', body) ? 200 : 400);
      return;
    }
    if (path === '/hello') {
      const body = await readBody(stream, MAX_REPORT_BYTES);
      if (body === undefined || !Hello.safeParse(parseJson(body)).success) {
        answer(stream, 400);
        return;
      }
      answer(stream, 200);
      deps.onLinked();
      return;
    }
    answer(stream, 404);
  };

  const server = createServer({
    maxSessionMemory: SESSION_MEMORY_MEGABYTES,
    settings: {
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxConcurrentStreams: MAX_LINK_STREAMS,
      enablePush: false,
      maxHeaderListSize: 8192,
    },
  });
  server.on('session', (session) => {
    session.on('error', () => session.destroy());
    if (sessions.size >= MAX_LINK_SESSIONS) {
      session.destroy();
      return;
    }
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.setLocalWindowSize(SESSION_WINDOW_BYTES);
  });
  server.on('sessionError', () => undefined);
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    const method = headers[':method'];
    if (method === 'CONNECT') onConnect(stream, headers);
    else if (method === 'POST')
      onPost(stream, headers).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    else answer(stream, 405);
  });
  return server;
};

/** The one right others may have on the link folder: its group, the gateway's, may pass through. */
const GROUP_PASSES = 0o010;

/**
 * Listens on the link folder's socket: removes what a dead process of ours left there, and nothing else.
 * The folder is this user's alone; where its group may pass through (mode 0710), the gateway runs in
 * that group and may connect.
 */
export const listenLink = async (server: Http2Server, folder: string): Promise<void> => {
  const found = await lstat(folder);
  const uid = process.getuid?.();
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077 & ~GROUP_PASSES) !== 0) {
    throw new Error(`the link folder ${folder} is not a folder that this user alone can change`);
  }
  const path = join(folder, LINK_SOCKET);
  const stale = await lstat(path).catch(() => undefined);
  if (stale !== undefined) {
    if (!stale.isSocket() || stale.uid !== uid) {
      throw new Error(`${path} is there already and is not a socket of ours`);
    }
    await unlink(path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.removeListener('error', reject);
      resolve();
    });
  });
  // Run by root, the gateway is another user than we: the folder's group lets it connect, no more.
  const shared = (found.mode & GROUP_PASSES) !== 0;
  if (shared) await chown(path, found.uid, found.gid);
  await chmod(path, shared ? 0o660 : 0o600);
};
