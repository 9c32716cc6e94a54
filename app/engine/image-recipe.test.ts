import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ASSISTANTS } from '../contract/index.ts';
import { ASSISTANT_IMAGES } from './assistants.ts';
import { dockerfileSteps, readImageFolder } from './image-recipe.ts';
import { imageTag } from './images.ts';

const shipped = join(import.meta.dirname, '../../sandbox-images');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gb-recipe-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

const write = async (recipe: unknown): Promise<void> => {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'Dockerfile'), 'ARG BASE\nFROM ${BASE}\n');
  await writeFile(join(folder, 'image.json'), JSON.stringify(recipe));
};

describe('a recipe', () => {
  it('is read with everything it may say', async () => {
    const recipe = {
      base: 'base',
      context: ['certificates', 'apt', 'node', 'module:koffi', 'module:@a/b'],
      args: { VERSION: '1' },
    };
    await write(recipe);
    expect(await readImageFolder(folder, 'x')).toMatchObject({
      ok: true,
      value: { name: 'x', recipe },
    });
  });

  it.each([
    ['an unknown field', { base: null, context: [], args: {}, more: 1 }],
    ['a missing field', { base: null, context: [] }],
    ['an unknown context', { base: null, context: ['secrets'], args: {} }],
    ['a module with a path', { base: null, context: ['module:../../etc'], args: {} }],
    ['a base with a path', { base: '../x', context: [], args: {} }],
    ['a small argument name', { base: null, context: [], args: { version: '1' } }],
  ])('with %s is refused by name', async (_, recipe) => {
    await write(recipe);
    const read = await readImageFolder(folder, 'x');
    expect(read).toMatchObject({ ok: false, error: { code: 'image.build-failed' } });
    expect(read.ok ? '' : read.error.message).toContain(join(folder, 'image.json'));
  });

  it('is there and pinned for every assistant', async () => {
    for (const assistant of ASSISTANTS) {
      const { folder: name } = ASSISTANT_IMAGES[assistant];
      const read = await readImageFolder(join(shipped, name), assistant);
      expect(read.ok ? 'fine' : read.error.message).toBe('fine');
      if (assistant === 'shell') continue;
      expect(read.ok && read.value.recipe.args['VERSION']).toMatch(/^\d+\.\d+\.\d+$/);
    }
    expect(await readdir(join(shipped, 'assistants'))).toHaveLength(ASSISTANTS.length - 1);
  });
});

describe('the steps of a Dockerfile', () => {
  it('are counted as the builder counts them and told in the words above them', () => {
    const text = [
      '# what it is',
      'ARG BASE',
      'FROM ${BASE} AS build',
      '# step: compiling',
      'RUN one \\',
      '    # a word between',
      '    && two',
      'ENV A=1 \\',
      '  B=2',
      'FROM ${BASE}',
      'copy x y',
      'CMD []',
    ].join('\n');
    expect(dockerfileSteps(text)).toEqual([
      { instruction: 'ARG', words: 'applying settings' },
      { instruction: 'FROM', words: 'starting from the image below' },
      { instruction: 'RUN', words: 'compiling' },
      { instruction: 'ENV', words: 'applying settings' },
      { instruction: 'FROM', words: 'starting from the image below' },
      { instruction: 'COPY', words: 'copying files' },
      { instruction: 'CMD', words: 'applying settings' },
    ]);
  });
});

describe('a tag', () => {
  it('is the name and sixteen digits, the same whatever the order of the arguments', () => {
    const tag = imageTag('base', 'hash', 'sha256:1', { A: '1', B: '2' });
    expect(tag).toMatch(/^glovebox\/base:[0-9a-f]{16}$/);
    expect(imageTag('base', 'hash', 'sha256:1', { B: '2', A: '1' })).toBe(tag);
  });

  it('changes with the context, the image below and each argument', () => {
    const tags = [
      imageTag('base', 'hash', 'sha256:1', { A: '1' }),
      imageTag('base', 'hasH', 'sha256:1', { A: '1' }),
      imageTag('base', 'hash', 'sha256:2', { A: '1' }),
      imageTag('base', 'hash', 'sha256:1', { A: '2' }),
      imageTag('base', 'hash', 'sha256:1', {}),
    ];
    expect(new Set(tags).size).toBe(tags.length);
  });
});
