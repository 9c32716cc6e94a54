import { readFileSync } from 'node:fs';
import type { DestinationOf } from '../process/captured-socket.ts';
import { endpointOf, parseEndpoint } from '../process/endpoint.ts';
import type { MemoryLimits } from '../process/memory-guard.ts';
import { serveProcess } from '../process/serve-process.ts';
import { DESTINATIONS_VARIABLE, MEMORY_VARIABLE, noteOf } from './destinations.ts';

/**
 * The broker process of the unit tests: all of it, but that no packet filter redirects their connections.
 * Where one was going is what the test's relay noted before it connected; a connection without a note was
 * going where it arrived.
 */
const destinationOf: DestinationOf = (socket) => {
  const folder = process.env[DESTINATIONS_VARIABLE] ?? '';
  try {
    return parseEndpoint(readFileSync(noteOf(folder, socket.remoteAddress ?? ''), 'utf8'));
  } catch {
    // Dialled without the relay: what the kernel says of such a connection is its own end.
    return endpointOf(socket.localAddress, socket.localPort);
  }
};

const limits = process.env[MEMORY_VARIABLE];
serveProcess({
  destinationOf,
  ...(limits === undefined ? {} : { memory: JSON.parse(limits) as MemoryLimits }),
});
