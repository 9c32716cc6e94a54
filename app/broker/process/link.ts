import { chmod, chown, lstat, unlink } from 'node:fs/promises';
import {
  constants,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { Server } from 'node:net';
import { join } from 'node:path';
import type { Program } from '../../contract/index.ts';
import {
  choiceSchema,
  failure,
  integerSchema,
  objectSchema,
  optionalSchema,
  parseJsonObject,
  readWith,
  textSchema,
} from '../../kit/index.ts';
import { openCapture, type Capture, type CaptureDeps } from './capture.ts';
import { MAX_DNS_QUERY_BYTES } from './dns-message.ts';
import type { DnsServer } from './dns-server.ts';
import { parseEndpoint } from './endpoint.ts';
import { closeDescriptors, createHandover } from './handover.ts';
import { flowOf } from './identify.ts';

/** Names of the sockets in the session's link folder: for questions and reports, and for what is handed over. */
export const LINK_SOCKET = 'link.sock';
export const HANDOVER_SOCKET = 'handover.sock';
/** Most relays at once: the one that is there, and its successor while the old one is found dead. */
export const MAX_LINK_SESSIONS = 4;
/** Most questions and reports at once. */
export const MAX_LINK_STREAMS = 4096;
/** Memory that one relay's questions and reports may take, in megabytes (Node's unit). */
export const SESSION_MEMORY_MEGABYTES = 64;
/** Where sandboxes send their questions (an address of TEST-NET-1 that the engine writes): only the way to ask for the program. */
const RESOLVER = '192.0.2.53:53';
/** Largest report or greeting of the relay, in bytes. */
export const MAX_REPORT_BYTES = 4096;

/** What the relay tells of datagrams that it dropped. */
type Report = {
  readonly family: 4 | 6;
  readonly source: string;
  readonly destination: string;
  readonly bytes?: number | undefined;
  readonly count?: number | undefined;
};
const endpointText = textSchema({ max: 64 });
const amount = optionalSchema(integerSchema(0, Number.MAX_SAFE_INTEGER));
const reportSchema = objectSchema<Report>({
  family: choiceSchema([4, 6]),
  source: endpointText,
  destination: endpointText,
  bytes: amount,
  count: amount,
});
const helloSchema = objectSchema<{ readonly version: string }>({
  version: textSchema({ max: 32 }),
});

export type LinkDeps = CaptureDeps & {
  readonly dns: DnsServer;
  readonly onLinked: () => void;
};

/** The broker's end of the way to the gateway: its sockets in the link folder, and what came over them. */
export type Link = {
  /** Listens in the folder; throws where that cannot be done safely. */
  readonly listen: (folder: string) => Promise<void>;
  readonly close: () => void;
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

/** Serves the gateway's relay: the sockets it hands over, questions and reports, and nothing else. */
export const createLink = (deps: LinkDeps): Link => {
  const sessions = new Set<ServerHttp2Session>();
  const captures = new Map<ServerHttp2Session, Capture>();
  const handover = createHandover(deps.native, deps.clock);

  const onReport = (body: Buffer | undefined): boolean => {
    const told = body === undefined ? undefined : parseJsonObject(body.toString('utf8'));
    const report = readWith(reportSchema, told);
    const destination = report === undefined ? undefined : parseEndpoint(report.destination);
    if (report === undefined || destination === undefined) return false;
    const source = parseEndpoint(report.source);
    const program =
      source === undefined ? unknownProgram() : deps.identify(flowOf('udp', source, destination));
    const exchange = deps.exchanges.begin(
      {
        verdict: 'denied',
        scheme: 'udp',
        host: destination.address,
        port: destination.port,
        protocol: 'udp',
        inspected: false,
        bytesOut: report.bytes ?? 0,
        bytesIn: 0,
      },
      program,
    );
    exchange.refuse(
      failure(
        'egress.udp',
        `UDP to ${destination.address}:${String(destination.port)} was refused (${String(report.count ?? 1)} datagrams).`,
      ),
    );
    exchange.finish();
    return true;
  };

  /** Takes what a relay handed over before it greeted; its connections live as long as its session. */
  const onHello = async (session: ServerHttp2Session): Promise<boolean> => {
    if (captures.has(session)) return false;
    const descriptors = await handover.take();
    if (session.destroyed || captures.has(session)) {
      closeDescriptors(descriptors);
      return false;
    }
    const capture = openCapture(deps, descriptors, () => session.destroy());
    if (capture === undefined) return false;
    captures.set(session, capture);
    session.once('close', () => {
      captures.delete(session);
      capture.close();
    });
    return true;
  };

  const onPost = async (
    session: ServerHttp2Session,
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
  ): Promise<void> => {
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
    if (path === '/udp') {
      answer(stream, onReport(await readBody(stream, MAX_REPORT_BYTES)) ? 200 : 400);
      return;
    }
    if (path === '/hello') {
      const body = await readBody(stream, MAX_REPORT_BYTES);
      const told = body === undefined ? undefined : parseJsonObject(body.toString('utf8'));
      if (readWith(helloSchema, told) === undefined || !(await onHello(session))) {
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
    session.on('stream', (stream, headers) => {
      stream.on('error', () => undefined);
      if (headers[':method'] !== 'POST') {
        answer(stream, 405);
        return;
      }
      onPost(session, stream, headers).catch(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
    });
  });
  server.on('sessionError', () => undefined);
  return {
    listen: async (folder) => {
      await listenIn(folder, HANDOVER_SOCKET, handover.server);
      await listenIn(folder, LINK_SOCKET, server);
    },
    close: () => {
      server.close();
      handover.close();
      for (const capture of captures.values()) capture.close();
    },
  };
};

/** The one right others may have on the link folder: its group, the gateway's, may pass through. */
const GROUP_PASSES = 0o010;

/**
 * Listens on a socket of the link folder: removes what a dead process of ours left there, and nothing else.
 * The folder is this user's alone; where its group may pass through (mode 0710), the gateway runs in
 * that group and may connect.
 */
const listenIn = async (folder: string, name: string, server: Server): Promise<void> => {
  const found = await lstat(folder);
  const uid = process.getuid?.();
  if (!found.isDirectory() || found.uid !== uid || (found.mode & 0o077 & ~GROUP_PASSES) !== 0) {
    throw new Error(`the link folder ${folder} is not a folder that this user alone can change`);
  }
  const path = join(folder, name);
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
