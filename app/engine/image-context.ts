import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fail, ok, type Result } from '../kit/index.ts';
import { aptFiles, type AptSources } from './apt-sources.ts';
import { trustBundle, type HostAuthority } from './host-authorities.ts';
import type { ContextItem, ImageFolder } from './image-recipe.ts';
import { nodeArchitecture } from './node-runtime.ts';
import type { EngineFailure } from './port.ts';
import { diskFile, folderEntries, type TarEntry } from './tarball.ts';

/** What this machine gives to a build; each part is asked for only where an image wants it. */
export type ContextSources = {
  readonly authorities: readonly HostAuthority[];
  /** Undefined where the image's own sources stay as they are. */
  readonly apt: AptSources | undefined;
  readonly architecture: string;
  readonly node: () => Promise<Result<string, EngineFailure>>;
};

const FOLDER = 'glovebox-context';

const file = (name: string, text: string): TarEntry => ({
  type: 'file',
  name,
  mode: 0o644,
  bytes: Buffer.from(text),
});

/** Folder of one of our own packages; packages may hide their package.json, so the main file leads there. */
const packageFolder = (name: string): string | undefined => {
  const require = createRequire(import.meta.url);
  const paths = require.resolve.paths(name) ?? [];
  for (const path of paths) {
    try {
      return dirname(require.resolve(join(path, name, 'package.json')));
    } catch {
      // Not in that node_modules: the next one up is asked.
    }
  }
  return undefined;
};

/** Where a package keeps its native part for one platform, by the name it gives that package. */
const platformPackage = (name: string, architecture: string): string | undefined =>
  name === 'koffi' ? `@koromix/koffi-linux-${architecture}` : undefined;

const moduleEntries = async (
  name: string,
  architecture: string,
): Promise<Result<readonly TarEntry[], EngineFailure>> => {
  const platform = platformPackage(name, architecture);
  const entries: TarEntry[] = [];
  for (const part of platform === undefined ? [name] : [name, platform]) {
    const folder = packageFolder(part);
    if (folder === undefined) {
      return fail(
        'image.build-failed',
        `The package ${part}, which an image needs, is not installed.`,
        'Run npm ci in Glovebox’s folder.',
      );
    }
    const at = `${FOLDER}/node_modules/${part}`;
    entries.push({ type: 'folder', name: at }, ...(await folderEntries(folder, at)));
  }
  return ok(entries);
};

const itemEntries = async (
  item: ContextItem,
  sources: ContextSources,
): Promise<Result<readonly TarEntry[], EngineFailure>> => {
  if (item === 'certificates') {
    return ok([
      { type: 'folder', name: `${FOLDER}/certificates` },
      ...sources.authorities.map(({ fingerprint, pem }) =>
        file(`${FOLDER}/certificates/${fingerprint.slice(0, 16)}.crt`, pem),
      ),
    ]);
  }
  if (item === 'apt') {
    const files =
      sources.apt === undefined
        ? []
        : Array.from(aptFiles(sources.apt, trustBundle(sources.authorities)));
    return ok([
      { type: 'folder', name: `${FOLDER}/apt` },
      ...files.map(([name, text]) => file(`${FOLDER}/apt/${name}`, text)),
    ]);
  }
  if (item === 'node') {
    const path = await sources.node();
    return path.ok ? ok([await diskFile(path.value, `${FOLDER}/node`, 0o755)]) : path;
  }
  return moduleEntries(item.slice('module:'.length), nodeArchitecture(sources.architecture));
};

/** Everything a build gets: the image's folder, and below `glovebox-context/` what its recipe asks for. */
export const contextEntries = async (
  image: ImageFolder,
  sources: ContextSources,
): Promise<Result<readonly TarEntry[], EngineFailure>> => {
  const own = await folderEntries(image.path);
  const entries = own.filter(
    ({ name }) =>
      name !== 'image.json' && !name.startsWith(`${FOLDER}/`) && !name.endsWith('.test.ts'),
  );
  for (const item of image.recipe.context) {
    const generated = await itemEntries(item, sources);
    if (!generated.ok) return generated;
    entries.push(...generated.value);
  }
  return ok(entries);
};
