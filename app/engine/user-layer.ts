import type Docker from 'dockerode';
import { createHash } from 'node:crypto';
import { err, ok, type Result } from '../kit/index.ts';
import type { SandboxUser } from '../policy/index.ts';
import { SANDBOX_HOME } from './container-options.ts';
import { imageId } from './distribution.ts';
import { buildImage } from './image-build.ts';
import { dockerfileSteps } from './image-recipe.ts';
import { LABEL } from './labels.ts';
import type { EngineFailure } from './port.ts';

const dockerfile = ({ uid, gid }: SandboxUser): string =>
  `ARG BASE
FROM \${BASE}
# step: adding this machine’s user
RUN { printf 'glovebox:x:${String(uid)}:${String(gid)}:Glovebox:${SANDBOX_HOME}:/bin/bash\\n'; cat /etc/passwd; } > /tmp/passwd \\
    && { printf 'glovebox:x:${String(gid)}:\\n'; cat /etc/group; } > /tmp/group \\
    && cat /tmp/passwd > /etc/passwd && cat /tmp/group > /etc/group && rm /tmp/passwd /tmp/group
`;

/**
 * The sandbox image with a name for the user it runs as: programs ask who they are and give up without
 * an answer (getpwuid(3)). The root is read-only later, so the name has to be in the image. Built once per user.
 */
export const ensureUserLayer = async (
  docker: Docker,
  install: string,
  image: string,
  user: SandboxUser,
  signal: AbortSignal,
): Promise<Result<string, EngineFailure>> => {
  const text = dockerfile(user);
  const hash = createHash('sha256').update(`${image}\n${text}`).digest('hex').slice(0, 16);
  const tag = `glovebox/user:${hash}`;
  const present = await imageId(docker, tag);
  if (present !== undefined) return ok(present);
  const built = await buildImage(
    docker,
    {
      image: {
        name: 'user',
        path: '',
        recipe: { base: null, context: [], args: {} },
        steps: dockerfileSteps(text),
      },
      entries: [{ type: 'file', name: 'Dockerfile', mode: 0o644, bytes: Buffer.from(text) }],
      tag,
      args: { BASE: image },
      labels: { [LABEL.install]: install, [LABEL.image]: 'user', [LABEL.below]: image },
    },
    () => undefined,
    signal,
  );
  if (!built.ok) return built;
  const made = await imageId(docker, tag);
  return made === undefined
    ? err({
        code: 'image.build-failed',
        message: 'The user’s image was not there after its build.',
      })
    : ok(made);
};
