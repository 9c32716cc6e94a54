import { Agent } from 'node:http';
import { Agent as TlsAgent } from 'node:https';
import { addAbortSignal, type Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import Docker from 'dockerode';
import { z } from 'zod';
import type { Scope } from '../kit/index.ts';
import type { EngineAddress } from './address.ts';

/** dockerode's options as it takes them; its types leave the agent out. */
type ClientOptions = Docker.DockerOptions & { readonly agent: Agent };

/** Calls that take a signal although dockerode's types do not say so. */
type Asks = {
  ping(options: { abortSignal: AbortSignal }): Promise<unknown>;
  version(options: { abortSignal: AbortSignal }): Promise<unknown>;
};

/** A dockerode for exactly that address. Its connections end with the scope. */
export const dockerAt = (address: EngineAddress, scope: Scope): Docker => {
  const isTls = address.type === 'tcp' && address.tls !== undefined;
  const agent = isTls ? new TlsAgent({ keepAlive: true }) : new Agent({ keepAlive: true });
  scope.defer(() => {
    agent.destroy();
  });
  const tls = address.type === 'tcp' ? address.tls : undefined;
  // dockerode fills what is absent from DOCKER_HOST and its kin, so everything is said here.
  const options: ClientOptions = {
    agent,
    socketPath: address.type === 'socket' ? address.path : undefined,
    host: address.type === 'tcp' ? address.host : undefined,
    port: address.type === 'tcp' ? address.port : undefined,
    protocol: isTls ? 'https' : 'http',
    ca: tls?.ca,
    cert: tls?.cert,
    key: tls?.key,
  };
  return new Docker(options);
};

type Dial = (
  request: {
    readonly path: string;
    readonly method: 'POST';
    readonly isStream: true;
    readonly statusCodes: Readonly<Record<number, true | string>>;
    readonly abortSignal: AbortSignal;
  },
  answered: (failure: Error | null, stream: Readable) => void,
) => void;

const ExitAnswer = z.looseObject({ StatusCode: z.int() });

/**
 * Exit status of a container, once it has one; rejects when the engine goes away. dockerode's own `wait`
 * collects the body and never settles when the connection ends after the head, which is sent at once.
 */
export const waitForExit = async (
  docker: Docker,
  container: string,
  signal: AbortSignal,
): Promise<number> => {
  const modem = docker.modem as { readonly dial: Dial };
  const stream = await new Promise<Readable>((resolve, reject) => {
    modem.dial(
      {
        path: `/containers/${container}/wait?`,
        method: 'POST',
        isStream: true,
        statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
        abortSignal: signal,
      },
      (failure, answer) => {
        if (failure === null) resolve(answer);
        else reject(failure);
      },
    );
  });
  return ExitAnswer.parse(await json(addAbortSignal(signal, stream))).StatusCode;
};

export const ping = (docker: Docker, signal: AbortSignal): Promise<unknown> =>
  (docker as unknown as Asks).ping({ abortSignal: signal });

export const version = (docker: Docker, signal: AbortSignal): Promise<unknown> =>
  (docker as unknown as Asks).version({ abortSignal: signal });
