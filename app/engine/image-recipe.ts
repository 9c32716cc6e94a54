import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fail, ok, type Result } from '../kit/index.ts';
import type { EngineFailure } from './port.ts';

const ImageName = z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'small letters, digits and dashes');

/** What can be put below `glovebox-context/` in a build: see `generatedFiles`. */
export const ContextItem = z.union([
  z.enum(['certificates', 'apt', 'node']),
  z.templateLiteral(['module:', z.string().regex(/^(@[a-z0-9-]+\/)?[a-z0-9._-]+$/)]),
]);
export type ContextItem = z.infer<typeof ContextItem>;

/** `image.json` beside each Dockerfile of sandbox-images. */
export const ImageRecipe = z.strictObject({
  /** Folder name of the image below; null stands on the bare distribution. */
  base: ImageName.nullable(),
  context: z.array(ContextItem).max(16),
  args: z.record(z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/), z.string().max(1024)),
});
export type ImageRecipe = z.infer<typeof ImageRecipe>;

/** One step of a Dockerfile, in the words of the nearest `# step:` comment above it in its stage. */
export type DockerfileStep = { readonly instruction: string; readonly words: string };

const TAKES_TIME = new Set(['RUN', 'COPY', 'ADD']);
const GENERIC: Readonly<Record<string, string>> = {
  FROM: 'starting from the image below',
  COPY: 'copying files',
  ADD: 'copying files',
  RUN: 'running a command',
};

/** The steps of a Dockerfile in order, as the classic builder counts them. */
export const dockerfileSteps = (text: string): readonly DockerfileStep[] => {
  const steps: DockerfileStep[] = [];
  let words: string | undefined;
  let continued = false;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed.startsWith('#')) {
      words = /^# step: (.+)$/.exec(trimmed)?.[1] ?? words;
      continue;
    }
    if (trimmed === '') continue;
    if (!continued) {
      const instruction = (/^[A-Za-z]+/.exec(trimmed)?.[0] ?? '').toUpperCase();
      if (instruction === 'FROM') words = undefined;
      steps.push({
        instruction,
        words:
          (TAKES_TIME.has(instruction) ? words : undefined) ??
          GENERIC[instruction] ??
          'applying settings',
      });
    }
    continued = trimmed.endsWith('\\');
  }
  return steps;
};

/** One image's folder, read and checked. */
export type ImageFolder = {
  readonly name: string;
  readonly path: string;
  readonly recipe: ImageRecipe;
  readonly steps: readonly DockerfileStep[];
};

/** Reads `image.json` and the Dockerfile of one folder. */
export const readImageFolder = async (
  path: string,
  name: string,
): Promise<Result<ImageFolder, EngineFailure>> => {
  let json: unknown;
  let dockerfile: string;
  try {
    json = JSON.parse(await readFile(join(path, 'image.json'), 'utf8'));
    dockerfile = await readFile(join(path, 'Dockerfile'), 'utf8');
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : String(thrown);
    return fail(
      'image.build-failed',
      `The ${name} image’s folder could not be read: ${why}`,
      'The installation is not whole: install Glovebox again.',
    );
  }
  const recipe = ImageRecipe.safeParse(json);
  if (!recipe.success) {
    return fail(
      'image.build-failed',
      `${join(path, 'image.json')}: ${z.prettifyError(recipe.error)}`,
    );
  }
  return ok({ name, path, recipe: recipe.data, steps: dockerfileSteps(dockerfile) });
};
