import type { Program } from '../../contract/index.ts';
import type { Clock } from '../../kit/index.ts';
import type { Flow } from '../port.ts';
import type { Endpoint } from './endpoint.ts';

/** Most questions about programs under way; past it a connection's program stays unknown. */
export const MAX_IDENTIFY_UNDER_WAY = 2048;
/** How long the host may take to answer, in milliseconds. */
export const IDENTIFY_TIMEOUT_MS = 2000;

/** Asks the host which program is behind a connection. Never fails: unknown is an answer. */
export type Identifier = {
  readonly ask: (flow: Flow) => Promise<Program | undefined>;
  readonly answered: (id: number, program: Program | undefined) => void;
};

export const flowOf = (protocol: 'tcp' | 'udp', source: Endpoint, destination: Endpoint): Flow => ({
  protocol,
  family: destination.address.includes(':') ? 6 : 4,
  localAddress: source.address,
  localPort: source.port,
  remoteAddress: destination.address,
  remotePort: destination.port,
});

export const createIdentifier = (
  clock: Clock,
  send: (id: number, flow: Flow) => void,
): Identifier => {
  const waiting = new Map<number, (program: Program | undefined) => void>();
  let next = 0;
  return {
    ask: (flow) => {
      if (waiting.size >= MAX_IDENTIFY_UNDER_WAY) return Promise.resolve(undefined);
      return new Promise((resolve) => {
        const id = (next += 1);
        const settle = (program: Program | undefined): void => {
          waiting.delete(id);
          cancel();
          resolve(program);
        };
        const cancel = clock.after(IDENTIFY_TIMEOUT_MS, () => settle(undefined));
        waiting.set(id, settle);
        send(id, flow);
      });
    },
    answered: (id, program) => waiting.get(id)?.(program),
  };
};
