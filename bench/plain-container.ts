import Docker from 'dockerode';
import { findEngine } from '../app/engine/index.ts';
import { createScope, unwrap, type Scope } from '../app/kit/index.ts';
import { imagesFolder } from '../scripts/places.ts';

/** What a session's start is compared with: the same image, run plainly with the same folder mounted. */
export type PlainContainers = {
  /** Time from asking for a container to its first byte, milliseconds. */
  readonly firstByteMs: () => Promise<number>;
};

const createAndRun = async (docker: Docker, image: string, folder: string): Promise<number> => {
  const began = performance.now();
  const container = await docker.createContainer({
    Image: image,
    Cmd: ['echo', 'ready'],
    WorkingDir: folder,
    HostConfig: { Binds: [`${folder}:${folder}`] },
  });
  try {
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    const first = new Promise<number>((resolve) => {
      stream.once('data', () => {
        resolve(performance.now() - began);
      });
    });
    await container.start();
    const elapsed = await first;
    await container.wait();
    return elapsed;
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
  return { firstByteMs: () => createAndRun(docker, images.sandbox, folder) };
};
