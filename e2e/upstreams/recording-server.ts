import { createServer as createTlsServer } from 'node:https';
import {
  createServer as createPlainServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Closable } from '../../app/kit/index.ts';
import type { Identity } from './authority.ts';

/** One request as it arrived, byte for byte where it matters. */
export type RecordedRequest = {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
};

/**
 * A server that records what reaches it and echoes it all back, as a careless server would.
 * `/header` echoes the Authorization and x-api-key values in response headers too.
 */
export type RecordingServer = Closable & {
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** TCP connections that were opened, whatever came over them. */
  readonly connections: () => number;
};

const respond = (
  request: RecordedRequest,
  incoming: IncomingMessage,
  response: ServerResponse,
): void => {
  if (request.url.startsWith('/redirect')) {
    response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data/' });
    response.end();
    return;
  }
  response.writeHead(200, {
    'content-type': 'application/json',
    ...(request.url.startsWith('/header')
      ? {
          'x-echo-authorization': incoming.headers.authorization ?? '',
          'x-echo-key': String(incoming.headers['x-api-key'] ?? ''),
        }
      : {}),
  });
  response.end(JSON.stringify(request));
};

export const startRecordingServer = async (options: {
  readonly identity?: Identity;
  readonly address?: string;
}): Promise<RecordingServer> => {
  const requests: RecordedRequest[] = [];
  let connections = 0;
  const handle = (incoming: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined); // Broken off on purpose by some attempts.
    incoming.on('end', () => {
      const request = {
        method: incoming.method ?? '',
        url: incoming.url ?? '',
        rawHeaders: incoming.rawHeaders,
        body: Buffer.concat(chunks).toString('utf8'),
      };
      requests.push(request);
      respond(request, incoming, response);
    });
  };
  const server =
    options.identity === undefined
      ? createPlainServer(handle)
      : createTlsServer({ cert: options.identity.certificate, key: options.identity.key }, handle);
  server.on('connection', () => {
    connections += 1;
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, options.address ?? '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    connections: () => connections,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
};
