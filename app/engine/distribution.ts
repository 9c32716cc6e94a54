import { access, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { fail, ok, type Clock, type Result } from '../kit/index.ts';
import { mirrorOf, type AptSources } from './apt-sources.ts';
import { engineFailure, statusOf } from './failure.ts';
import { runHostCommand, streamHostCommand } from './host-command.ts';
import { LABEL } from './labels.ts';
import type { EngineFailure } from './port.ts';

/** The public image that everything stands on where the registry can be reached. */
export const DISTRIBUTION_IMAGE = 'debian:bookworm-slim';
const DISTRIBUTION_SUITE = 'bookworm';
/** How long the registry may take to send its first byte. */
export const FIRST_BYTE_TIMEOUT_MS = 10_000;
/** How long a pull may stand still once it has begun. */
export const STALLED_PULL_TIMEOUT_MS = 60_000;

export type Distribution = { readonly id: string; readonly suite: string };

export type DistributionOptions = {
  readonly install: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly apt: AptSources | undefined;
  readonly clock: Clock;
  readonly onProgress: (message: string, fraction?: number) => void;
  readonly signal: AbortSignal;
};

/** Id of an image by name, or undefined where the engine has none. */
export const imageId = async (docker: Docker, name: string): Promise<string | undefined> => {
  try {
    return (await docker.getImage(name).inspect()).Id;
  } catch (thrown) {
    if (statusOf(thrown) === 404) return undefined;
    throw thrown;
  }
};

/** Pulls the public image; false where the registry does not answer in time or refuses. */
export const pullDistribution = async (
  docker: Docker,
  options: Pick<DistributionOptions, 'clock' | 'onProgress' | 'signal'>,
): Promise<boolean> => {
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, options.signal]);
  let cancel = options.clock.after(FIRST_BYTE_TIMEOUT_MS, () => stop.abort());
  try {
    const stream = await docker.createImage({ fromImage: DISTRIBUTION_IMAGE, abortSignal: signal });
    stream.setEncoding('utf8');
    for await (const chunk of stream) {
      cancel();
      cancel = options.clock.after(STALLED_PULL_TIMEOUT_MS, () => stop.abort());
      options.onProgress('downloading Debian');
      if (String(chunk).includes('"errorDetail"')) return false;
    }
    return (await imageId(docker, DISTRIBUTION_IMAGE)) !== undefined;
  } catch {
    // Unreachable, refused or too slow: the caller bootstraps instead, and says so if that fails too.
    return false;
  } finally {
    cancel();
  }
};

/** What a container never needs of a fresh distribution. */
const LEFT_OUT = [
  './proc/*',
  './sys/*',
  './dev/*',
  './var/cache/apt/*',
  './var/lib/apt/lists/*',
  './var/log/*',
  './debootstrap',
  './usr/share/man/*',
  './usr/share/info/*',
  './usr/share/locale/*',
  './usr/share/doc/*/[!c]*',
];

const DEBOOTSTRAP_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** Bootstraps Debian from the distribution's packages and imports it. Needs debootstrap, and root or sudo without a password. */
const bootstrap = async (
  docker: Docker,
  tag: { readonly repo: string; readonly tag: string },
  suite: string,
  options: DistributionOptions,
): Promise<Result<string, EngineFailure>> => {
  const why = `The image ${DISTRIBUTION_IMAGE} cannot be pulled from its registry, and bootstrapping Debian ${suite} from packages`;
  const env = { ...options.env, PATH: DEBOOTSTRAP_PATH, LC_ALL: 'C' };
  const root = process.getuid?.() === 0 ? [] : ['sudo', '-n'];
  const asRoot = (args: readonly string[]): [string, readonly string[]] => {
    const [command = '', ...rest] = [...root, ...args];
    return [command, rest];
  };
  if (process.platform !== 'linux') {
    return fail(
      'image.build-failed',
      `${why} works on Linux only.`,
      'Let the engine reach its registry.',
    );
  }
  const able = await runHostCommand(...asRoot(['debootstrap', '--version']), { env });
  if (!able.ok) {
    return fail(
      'image.build-failed',
      `${why} needs debootstrap and root or sudo without a password.`,
      'Install debootstrap (apt-get install debootstrap), or let the engine reach its registry.',
    );
  }
  const scratch = await access('/var/tmp').then(
    () => '/var/tmp',
    () => '/tmp',
  );
  const folder = await mkdtemp(join(scratch, 'glovebox-debian-'));
  const target = join(folder, 'root');
  try {
    let packages = 0;
    // Namespaces of its own: whatever debootstrap mounts and starts is gone with it, even when it is killed.
    const made = await runHostCommand(
      ...asRoot([
        'unshare',
        '--mount',
        '--pid',
        '--mount-proc',
        '--fork',
        '--kill-child',
        'debootstrap',
        '--variant=minbase',
        suite,
        target,
        ...(options.apt === undefined ? [] : [mirrorOf(options.apt)]),
      ]),
      {
        env,
        signal: options.signal,
        onLine: (line) => {
          const match = /^I: (Retrieving|Validating|Extracting|Unpacking|Configuring) (.+)$/.exec(
            line,
          );
          if (match === null) return;
          packages += 1;
          options.onProgress(
            `bootstrapping Debian ${suite}: ${(match[1] ?? '').toLowerCase()} ${match[2] ?? ''}`,
            Math.min(0.9, packages / 500),
          );
        },
      },
    );
    options.signal.throwIfAborted();
    if (!made.ok) {
      const tail = made.error.output.trim().split('\n').slice(-4).join('\n');
      return fail(
        'image.build-failed',
        `${why} failed: ${tail}`,
        'Check that the package mirror can be reached.',
      );
    }
    // Another process may have been faster: two distributions would make two of every image.
    const meanwhile = await imageId(docker, `${tag.repo}:${tag.tag}`);
    if (meanwhile !== undefined) return ok(meanwhile);
    options.onProgress(`bootstrapping Debian ${suite}: importing it`, 0.95);
    const tar = streamHostCommand(
      ...asRoot([
        'tar',
        '--create',
        '--one-file-system',
        '--numeric-owner',
        '--sort=name',
        ...LEFT_OUT.map((pattern) => `--exclude=${pattern}`),
        `--directory=${target}`,
        '.',
      ]),
      { env, signal: options.signal },
    );
    const answer = await docker.importImage(tar.stdout, {
      ...tag,
      changes: [`LABEL ${LABEL.install}=${options.install} ${LABEL.image}=distribution`],
      abortSignal: options.signal,
    });
    for await (const _ of answer) {
      // The engine's answer must be read to its end; what counts is the image afterwards.
    }
    const packed = await tar.done;
    const id = await imageId(docker, `${tag.repo}:${tag.tag}`);
    if (packed.ok && id !== undefined) return ok(id);
    return fail(
      'image.build-failed',
      `${why} failed: ${packed.ok ? 'the engine did not import it' : packed.error.output}`,
    );
  } finally {
    await runHostCommand(...asRoot(['rm', '--recursive', '--force', '--one-file-system', folder]), {
      env,
    });
  }
};

/** The bare distribution: what the engine has, else pulled, else bootstrapped from packages. Happens once per engine. */
export const ensureDistribution = async (
  docker: Docker,
  options: DistributionOptions,
): Promise<Result<Distribution, EngineFailure>> => {
  const suite = options.apt?.suite ?? DISTRIBUTION_SUITE;
  const tag = { repo: 'glovebox/distribution', tag: suite };
  try {
    const bootstrapped = await imageId(docker, `${tag.repo}:${tag.tag}`);
    if (bootstrapped !== undefined) return ok({ id: bootstrapped, suite });
    const present = await imageId(docker, DISTRIBUTION_IMAGE);
    if (present !== undefined) return ok({ id: present, suite: DISTRIBUTION_SUITE });
    options.onProgress('looking for Debian at the public registry');
    if (await pullDistribution(docker, options)) {
      const pulled = await imageId(docker, DISTRIBUTION_IMAGE);
      if (pulled !== undefined) return ok({ id: pulled, suite: DISTRIBUTION_SUITE });
    }
    options.signal.throwIfAborted();
    const made = await bootstrap(docker, tag, suite, options);
    return made.ok ? ok({ id: made.value, suite }) : made;
  } catch (thrown) {
    return { ok: false, error: engineFailure(thrown, 'Preparing Debian for the sandbox images') };
  }
};
