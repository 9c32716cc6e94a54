import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type Docker from 'dockerode';
import type { ImageInfo } from 'dockerode';
import type { AssistantName } from '../contract/index.ts';
import { err, fail, ok, type Clock, type Result, type Scope } from '../kit/index.ts';
import { hostAptSources, type AptSources } from './apt-sources.ts';
import { ASSISTANT_IMAGES, VERSION_ARGUMENT } from './assistants.ts';
import { ensureDistribution, imageId } from './distribution.ts';
import { engineFailure } from './failure.ts';
import { hostAuthorities, type HostAuthority } from './host-authorities.ts';
import { runHostCommand } from './host-command.ts';
import { buildImage, CALLED_OFF, type BuildRequest } from './image-build.ts';
import { contextEntries, type ContextSources } from './image-context.ts';
import { readImageFolder, type ImageFolder } from './image-recipe.ts';
import { LABEL } from './labels.ts';
import { nodeRuntime } from './node-runtime.ts';
import type { Engine, EngineFailure, EngineOptions } from './port.ts';
import { hashEntries } from './tarball.ts';

export type Images = Pick<Engine, 'ensureImages' | 'imageState'>;

export type ImagesDeps = EngineOptions & {
  readonly docker: Docker;
  readonly clock: Clock;
  /** The engine's architecture, as it calls it: `amd64`. */
  readonly architecture: string;
};

/** Longest chain of images standing on each other. */
const MAX_DEPTH = 8;
/** How long what `imageState` found holds. */
const STATE_LASTS_MS = 2000;

/** Host variables that decide how a build reaches the network. Docker takes the proxies as build arguments by itself. */
const proxyArguments = (env: EngineOptions['env']): Record<string, string> => {
  const args: Record<string, string> = {};
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']) {
    const value = env[name] ?? env[name.toLowerCase()];
    if (value === undefined || value === '') continue;
    args[name] = value;
    args[name.toLowerCase()] = value;
  }
  return args;
};

/**
 * Where builds fetch npm packages: what the environment says, otherwise what npm is set to on this machine.
 * Not part of an image's tag: where a package came from does not change what it is.
 */
const npmRegistry = async (
  env: EngineOptions['env'],
  signal: AbortSignal,
): Promise<Result<string, EngineFailure>> => {
  const named = env['npm_config_registry'] ?? env['NPM_CONFIG_REGISTRY'] ?? '';
  if (named !== '') return ok(named);
  const asked = await runHostCommand('npm', ['config', 'get', 'registry'], { env, signal });
  const answer = asked.ok ? asked.value.trim().split('\n').at(-1) : undefined;
  if (answer !== undefined && /^https?:\/\/\S+$/.test(answer)) return ok(answer);
  return fail(
    'image.build-failed',
    'npm on this machine does not say which registry packages come from.',
    'Install npm, or name the registry in npm_config_registry.',
  );
};

/** Tag of an image: the first 16 hexadecimal digits of SHA-256 over its context, the image below and its arguments. */
export const imageTag = (
  name: string,
  contextHash: string,
  below: string,
  args: Readonly<Record<string, string>>,
): string => {
  const inputs = JSON.stringify([
    contextHash,
    below,
    Object.entries(args).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]);
  const hash = createHash('sha256').update(inputs).digest('hex').slice(0, 16);
  return `glovebox/${name}:${hash}`;
};

const folderOf = (name: string): string =>
  Object.values(ASSISTANT_IMAGES).find(({ folder }) => folder === `assistants/${name}`)?.folder ??
  name;

const imageNameOf = (assistant: AssistantName, shellImage: string | undefined): string =>
  (assistant === 'shell' ? shellImage : undefined) ??
  ASSISTANT_IMAGES[assistant].folder.split('/').at(-1) ??
  assistant;

type Report = (message: string, fraction?: number) => void;
type Found = Result<string | undefined, EngineFailure>;
/** One ask: each image and each fact about this machine is looked at once in it. */
type Step = {
  readonly report: Report;
  readonly signal: AbortSignal;
  readonly mayBuild: boolean;
  readonly found: Map<string, Promise<Found>>;
  readonly facts: {
    readonly apt: Promise<AptSources | undefined>;
    readonly authorities: () => readonly HostAuthority[];
  };
};

const once = <T>(make: () => T): (() => T) => {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

/** Builds and finds images. Two asks for the same image at once share one build. */
export const createImages = (deps: ImagesDeps, scope: Scope): Images => {
  const { docker } = deps;
  const building = new Map<string, Promise<Found>>();
  const node = once(() => nodeRuntime(deps.architecture, deps.env, scope, scope.signal));

  const read = (name: string): Promise<Result<ImageFolder, EngineFailure>> =>
    readImageFolder(join(deps.imagesFolder, folderOf(name)), name);

  const ours = (...labels: readonly string[]): Promise<ImageInfo[]> =>
    docker.listImages({ filters: { label: [`${LABEL.install}=${deps.installId}`, ...labels] } });

  const removeUnused = async (name: string): Promise<void> => {
    try {
      await docker.getImage(name).remove();
    } catch {
      // In use by a container, or gone: the next build tries again.
    }
  };

  /** Removes this installation's older builds of the image, with the user layers on them; what is in use or another's stays. */
  const prune = async (name: string, keep: string): Promise<void> => {
    for (const image of await ours(`${LABEL.image}=${name}`)) {
      const old = (image.RepoTags ?? []).filter(
        (tag) => tag.startsWith(`glovebox/${name}:`) && tag !== keep,
      );
      // A stage of a build that nothing carries a name for: as large as a compiler, and only this build used it.
      if ((image.RepoTags ?? []).every((tag) => tag === '<none>:<none>'))
        await removeUnused(image.Id);
      if (old.length === 0) continue;
      for (const layer of await ours(`${LABEL.image}=user`, `${LABEL.below}=${image.Id}`)) {
        await removeUnused(layer.Id);
      }
      for (const tag of old) await removeUnused(tag);
    }
  };

  /** Id of the image with this name; undefined where it is not there and must not be built. */
  const ensure = (name: string, step: Step, depth = 0): Promise<Found> => {
    const known = step.found.get(name);
    if (known !== undefined) return known;
    const found = ensureOnce(name, step, depth);
    step.found.set(name, found);
    return found;
  };

  const ensureOnce = async (name: string, step: Step, depth: number): Promise<Found> => {
    if (depth > MAX_DEPTH) {
      return err({ code: 'image.build-failed', message: `The ${name} image stands on itself.` });
    }
    const image = await read(name);
    if (!image.ok) return image;
    const { recipe } = image.value;
    let apt = await step.facts.apt;
    let below: string | undefined;
    if (recipe.base === null) {
      const found = step.mayBuild
        ? await ensureDistribution(docker, {
            install: deps.installId,
            env: deps.env,
            apt,
            clock: deps.clock,
            onProgress: step.report,
            signal: step.signal,
          })
        : await presentDistribution(apt?.suite);
      if (!found.ok) return found;
      below = found.value?.id;
      if (found.value?.suite !== apt?.suite) apt = undefined;
    } else {
      const found = await ensure(recipe.base, step, depth + 1);
      if (!found.ok) return found;
      below = found.value;
    }
    if (below === undefined) return ok(undefined);

    const sources: ContextSources = {
      authorities: recipe.context.some((item) => item === 'certificates' || item === 'apt')
        ? step.facts.authorities()
        : [],
      apt,
      architecture: deps.architecture,
      node,
    };
    const entries = await contextEntries(image.value, sources);
    if (!entries.ok) return entries;
    const tag = imageTag(name, await hashEntries(entries.value), below, recipe.args);
    const present = await imageId(docker, tag);
    if (present !== undefined || !step.mayBuild) return ok(present);

    const registry = await npmRegistry(deps.env, step.signal);
    if (!registry.ok) return registry;
    const version = recipe.args[VERSION_ARGUMENT];
    const request: BuildRequest = {
      image: image.value,
      entries: entries.value,
      tag,
      args: {
        ...proxyArguments(deps.env),
        ...recipe.args,
        NPM_REGISTRY: registry.value,
        BASE: below,
      },
      labels: {
        [LABEL.install]: deps.installId,
        [LABEL.image]: name,
        ...(version === undefined ? {} : { [LABEL.version]: version }),
      },
    };
    return buildShared(request, step);
  };

  const build = async (request: BuildRequest, step: Step): Promise<Found> => {
    const built = await buildImage(docker, request, step.report, step.signal);
    if (!built.ok) {
      // Another process may have built the very same meanwhile, and tidied up what this one stood on.
      const meanwhile = step.signal.aborted ? undefined : await imageId(docker, request.tag);
      return meanwhile === undefined ? built : ok(meanwhile);
    }
    await prune(request.image.name, request.tag);
    return ok(await imageId(docker, request.tag));
  };

  /** Sessions that need the same image at once wait for one build; who called theirs off does not fail the others. */
  const buildShared = async (request: BuildRequest, step: Step): Promise<Found> => {
    for (;;) {
      const running = building.get(request.tag);
      if (running === undefined) {
        const made = build(request, step).finally(() => building.delete(request.tag));
        building.set(request.tag, made);
        return made;
      }
      step.report(`waiting for the ${request.image.name} image, which another session builds`);
      const made = await running;
      if (made.ok || !made.error.message.includes(CALLED_OFF) || step.signal.aborted) return made;
    }
  };

  const presentDistribution = async (
    suite: string | undefined,
  ): Promise<Result<{ id: string; suite: string } | undefined, EngineFailure>> => {
    const own =
      suite === undefined ? undefined : await imageId(docker, `glovebox/distribution:${suite}`);
    if (own !== undefined && suite !== undefined) return ok({ id: own, suite });
    const pulled = await imageId(docker, 'debian:bookworm-slim');
    return ok(pulled === undefined ? undefined : { id: pulled, suite: 'bookworm' });
  };

  const newStep = (mayBuild: boolean, report: Report, signal: AbortSignal): Step => ({
    mayBuild,
    report,
    signal,
    found: new Map(),
    facts: {
      apt: hostAptSources(deps.env),
      authorities: once(() => hostAuthorities(deps.env)),
    },
  });

  /** All assistants are asked about at once, again and again: what one look finds serves them all. */
  let lately: { readonly step: Step; readonly until: number } | undefined;
  const quietStep = (): Step => {
    const now = deps.clock.monotonic();
    if (lately === undefined || lately.until < now) {
      const step = newStep(false, () => undefined, scope.signal);
      lately = { step, until: now + STATE_LASTS_MS };
    }
    return lately.step;
  };

  return {
    imageState: async (assistant) => {
      const name = imageNameOf(assistant, deps.shellImage);
      const image = await read(name);
      const version = image.ok ? image.value.recipe.args[VERSION_ARGUMENT] : undefined;
      const about = version === undefined ? {} : { version };
      try {
        const found = await ensure(name, quietStep());
        if (!found.ok) return { state: 'unknown', ...about };
        return { state: found.value === undefined ? 'builds-once' : 'ready', ...about };
      } catch {
        // The engine does not answer just now; the caller is told so by `unknown`.
        return { state: 'unknown', ...about };
      }
    },
    ensureImages: async (assistant, onProgress, signal) => {
      const names = ['base', 'gateway', 'guard', imageNameOf(assistant, deps.shellImage)];
      const ids: string[] = [];
      let index = 0;
      const report: Report = (message, fraction) => {
        const known = fraction === undefined ? {} : { fraction: (index + fraction) / names.length };
        onProgress({ step: 'images', message, ...known });
      };
      const step = newStep(true, report, AbortSignal.any([signal, scope.signal]));
      lately = undefined;
      for (const name of names) {
        const made = await ensure(name, step).catch((thrown: unknown) =>
          err(engineFailure(thrown, `Preparing the ${name} image`)),
        );
        if (!made.ok) return made;
        if (made.value === undefined) {
          const message = `The ${name} image was not there after its build.`;
          return err({ code: 'image.build-failed', message });
        }
        ids.push(made.value);
        index += 1;
      }
      lately = undefined;
      const [, gateway = '', guard = '', sandbox = ''] = ids;
      return ok({ sandbox, gateway, guard });
    },
  };
};
