import { PassThrough } from 'node:stream';
import Docker from 'dockerode';
import { findEngine } from '../../app/engine/index.ts';
import { createScope, unwrap, type Scope } from '../../app/kit/index.ts';
import { imagesFolder } from '../../scripts/places.ts';

/** What a session is compared with: the same image, run plainly with the same folder mounted. */
export type PlainContainers = {
  /** Time from asking for a container to its first byte, milliseconds. */
  readonly firstByteMs: (command: readonly string[]) => Promise<number>;
  /** What a command prints in a container of its own. */
  readonly output: (command: readonly string[]) => Promise<string>;
};

const createAndRun = async (
  docker: Docker,
  image: string,
  folder: string,
  command: readonly string[],
): Promise<{ readonly firstByteMs: number; readonly output: string }> => {
  const began = performance.now();
  const container = await docker.createContainer({
    Image: image,
    Cmd: [...command],
    WorkingDir: folder,
    HostConfig: { Binds: [`${folder}:${folder}`] },
  });
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const stdout = new PassThrough();
    docker.modem.demuxStream(stream, stdout, new PassThrough());
    let firstByteMs = Number.NaN;
    let output = '';
    const first = new Promise<void>((resolve) => {
      stdout.on('data', (chunk: Buffer) => {
        if (output === '') firstByteMs = performance.now() - began;
        output += chunk.toString();
        resolve();
      });
    });
    await container.start();
    await first;
    await container.wait();
    return { firstByteMs, output };
  } finally {
    await container.remove({ force: true });
  }
};

export const startPlainContainers = async (
  env: Readonly<Record<string, string | undefined>>,
  folder: string,
  parent: Scope,
): Promise<PlainContainers> => {
  const scope = parent.use(createScope('plain containers'));
  const engine = unwrap(await findEngine({ installId: 'bench', env, imagesFolder }, scope));
  const images = unwrap(await engine.ensureImages('shell', () => undefined, scope.signal));
  const docker = new Docker();
  const run = (command: readonly string[]): ReturnType<typeof createAndRun> =>
    createAndRun(docker, images.sandbox, folder, command);
  return {
    firstByteMs: async (command) => (await run(command)).firstByteMs,
    output: async (command) => (await run(command)).output,
  };
};
