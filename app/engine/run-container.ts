import type Docker from 'dockerode';
import type { ContainerCreateOptions } from 'dockerode';
import type { Code } from '../contract/index.ts';
import { err, fail, ok, type Result, type Scope } from '../kit/index.ts';
import { waitForExit } from './client.ts';
import { engineFailure } from './failure.ts';
import type { EngineFailure, Running } from './port.ts';

/** How many of a container's last lines go into an error message. */
export const TAIL_LINES = 20;
const MAX_TAIL_CHARS = 4000;

/** Takes the frame headers of the engine's log answer out, and everything a terminal would act on. */
const plainLog = (bytes: Buffer): string => {
  const parts: string[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    parts.push(bytes.toString('utf8', at + 8, end));
    at = end;
  }
  return parts
    .join('')
    .replace(/[^\n\t\x20-\x7e\u00a0-\uffff]/g, '')
    .trim()
    .slice(-MAX_TAIL_CHARS);
};

const tailOf = async (container: Docker.Container): Promise<string> => {
  try {
    const log = await container.logs({ stdout: true, stderr: true, tail: TAIL_LINES });
    return plainLog(log);
  } catch {
    // Removed meanwhile, or the engine is gone: there is nothing more to say about it.
    return '';
  }
};

/** Creates and starts one container. What could not be started is removed again. */
export const runContainer = async (
  docker: Docker,
  options: ContainerCreateOptions,
  about: { readonly what: string; readonly code: Code },
  signal: AbortSignal,
  scope: Scope,
): Promise<Result<Running, EngineFailure>> => {
  let container: Docker.Container | undefined;
  try {
    container = await docker.createContainer({ ...options, abortSignal: signal });
    await container.start({ abortSignal: signal });
    const state = (await container.inspect({ abortSignal: signal })).State;
    if (!state.Running) {
      const tail = await tailOf(container);
      await container.remove({ force: true, v: true });
      return fail(
        about.code,
        `${about.what} ended at once (status ${String(state.ExitCode)}). ${tail}`,
      );
    }
    const { id } = container;
    return ok({ id, ended: waitForEnd(docker, container, scope) });
  } catch (thrown) {
    const failed = engineFailure(thrown, `Starting ${about.what}`);
    try {
      await container?.remove({ force: true, v: true });
    } catch {
      // It carries this session's labels: removeSession and sweep come for it.
    }
    return err(failed);
  }
};

const waitForEnd = async (
  docker: Docker,
  container: Docker.Container,
  scope: Scope,
): Promise<Awaited<Running['ended']>> => {
  try {
    const exitCode = await waitForExit(docker, container.id, scope.signal);
    return { exitCode, tail: await tailOf(container) };
  } catch {
    // The engine is gone or this engine's scope has ended: not running, as far as anyone can tell.
    return { exitCode: -1, tail: '' };
  }
};
