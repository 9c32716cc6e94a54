import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createRig } from './testing/setup.ts';

it('leaves its compiled sources to the next broker', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'glovebox-compiled-'));
  const compileCache = join(folder, 'compiled');
  try {
    const rig = await createRig({ start: { compileCache } });
    await expect
      .poll(async () => (await readdir(compileCache, { recursive: true })).length)
      .toBeGreaterThan(10);
    await rig.close();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
