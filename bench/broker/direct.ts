import type { Contender, Setting } from './contender.ts';
import { runOnHost } from './host-client.ts';

/** No one in between: what the others are compared with. The client holds the real credential. */
export const createDirect = ({ upstreamPort, upstreamCa, secret }: Setting): Contender => ({
  name: 'direct',
  topology: 'client on the host, upstream',
  run: (phase) => runOnHost(phase, { host: 'localhost', port: upstreamPort }, upstreamCa, secret),
  roots: () => Promise.resolve([]),
});
