import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import type { Identity } from '../e2e/upstreams/authority.ts';
import type { Closable } from '../app/kit/index.ts';

const CHUNK = Buffer.alloc(64 * 1024, 'glovebox bench ');
const CHUNKS_PER_MIB = 16;
const SMALL = JSON.stringify({ ok: true, text: 'x'.repeat(200) });

/** A TLS server on loopback that answers as fast as Node can: the same one for every contender. */
export const startBenchUpstream = async (
  identity: Identity,
): Promise<Closable & { readonly port: number }> => {
  const server = createServer(
    { cert: identity.certificate, key: identity.key },
    (request, response) => {
      const url = new URL(request.url ?? '/', 'https://bench');
      if (url.pathname === '/large') {
        const chunks = Number(url.searchParams.get('mib') ?? '1') * CHUNKS_PER_MIB;
        response.writeHead(200, { 'content-type': 'text/plain' });
        Readable.from(
          (function* () {
            for (let at = 0; at < chunks; at += 1) yield CHUNK;
          })(),
        ).pipe(response);
        return;
      }
      request.resume();
      request.on('end', () => {
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': SMALL.length,
        });
        response.end(SMALL);
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
};
