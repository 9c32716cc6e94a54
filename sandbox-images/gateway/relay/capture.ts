import { constants } from 'node:http2';
import { createServer, type Server, type Socket } from 'node:net';
import { serveDnsConnection, type Ask } from './dns.ts';
import { endpointText, type Endpoint } from './endpoint.ts';
import type { Link } from './link.ts';
import type { OriginalDestination } from './original-destination.ts';
import { DOMAIN_PORT } from './ports.ts';

/** Captured connections at once; further ones are reset. */
export const MAX_CONNECTIONS = 4096;
/** Connections the kernel may hold ready before they are accepted. */
export const MAX_BACKLOG = 4096;
/** How long one side may stay half closed and silent. */
export const HALF_CLOSED_IDLE_MS = 120_000;

export type CaptureDeps = {
  readonly link: Link;
  readonly ask: Ask;
  readonly destinationOf: OriginalDestination;
  readonly onLoop: (source: Endpoint, destination: Endpoint) => void;
  readonly onFailure: (failure: Error) => void;
};

/** Takes every redirected connection of one family and hands it over the link. */
export const listenCapture = (deps: CaptureDeps, family: 4 | 6, port: number): Server => {
  const own = family === 4 ? '127.0.0.1' : '::1';
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    const source = sourceOf(socket);
    const destination = deps.destinationOf(socket, family);
    if (source === undefined || destination === undefined) {
      socket.resetAndDestroy();
      return;
    }
    if (destination.address === own && destination.port === port) {
      // Dialled by hand: to pass it on would let the sandbox name any destination as captured.
      deps.onLoop(source, destination);
      socket.resetAndDestroy();
      return;
    }
    if (destination.port === DOMAIN_PORT) {
      serveDnsConnection(socket, source, deps.ask);
      return;
    }
    join(socket, deps.link, endpointText(destination), endpointText(source));
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.on('error', deps.onFailure);
  server.listen({ host: own, port, backlog: MAX_BACKLOG, ipv6Only: family === 6 });
  return server;
};

const sourceOf = (socket: Socket): Endpoint | undefined =>
  socket.remoteAddress === undefined || socket.remotePort === undefined
    ? undefined
    : { address: socket.remoteAddress, port: socket.remotePort };

/** How long after the end of a stream its reset may still come, in milliseconds; a connection's end waits for it. */
export const RESET_FOLLOWS_MS = 10;

/** Joins a captured connection with a stream of the link: both ways, half-close by half-close, reset by reset. */
const join = (socket: Socket, link: Link, authority: string, source: string): void => {
  const stream = link.open(authority, source);
  if (stream === undefined) {
    socket.resetAndDestroy();
    return;
  }
  let over = false;
  const breakOff = (): void => {
    if (over) return;
    over = true;
    stream.close(constants.NGHTTP2_CANCEL);
    socket.resetAndDestroy();
  };
  const isBroken = (): boolean => stream.rstCode !== constants.NGHTTP2_NO_ERROR;
  stream.on('error', breakOff);
  stream.on('aborted', () => {
    if (isBroken()) breakOff();
  });
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) breakOff();
  });
  // Node's server ends a stream just before it resets it, in frames of their own. Only what is not reset
  // soon after its end may look complete inside.
  stream.on('end', () => {
    setTimeout(() => {
      if (isBroken()) breakOff();
      else socket.end();
    }, RESET_FOLLOWS_MS);
  });
  stream.on('close', () => {
    if (isBroken()) {
      breakOff();
      return;
    }
    // Over in good order; what the program still says has no listener, what it was told must reach it.
    socket.unpipe(stream);
    socket.resume();
    socket.end();
  });
  socket.on('error', breakOff);
  socket.on('close', () => {
    if (!stream.closed) breakOff();
  });
  const watchSilence = (): void => {
    socket.setTimeout(HALF_CLOSED_IDLE_MS, breakOff);
  };
  socket.on('end', watchSilence);
  stream.on('end', watchSilence);
  socket.pipe(stream);
  stream.pipe(socket, { end: false });
};
