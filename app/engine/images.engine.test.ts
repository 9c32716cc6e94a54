import { cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { hostAuthorities } from './host-authorities.ts';
import { findEngine } from './index.ts';
import { LABEL } from './labels.ts';
import { never, openEngineRig, type EngineRig } from './testing/engine-rig.ts';

let rig: EngineRig;
beforeAll(async () => {
  rig = await openEngineRig();
});
afterEach(() => rig.removeSessions());
afterAll(() => rig.close());

describe('images', () => {
  it('builds nothing the second time and says the image is ready', async () => {
    const steps: string[] = [];
    const again = unwrap(
      await rig.engine.ensureImages('shell', (p) => steps.push(p.message), never),
    );
    expect(again).toEqual(rig.images);
    expect(steps).toEqual([]);
    expect(await rig.engine.imageState('shell')).toEqual({ state: 'ready' });
  });

  it('carries what a working copy needs, under 450 MB', async () => {
    const { Size, Config } = await rig.docker.getImage(rig.images.sandbox).inspect();
    expect(Size).toBeLessThan(450_000_000);
    expect(Config.Labels[LABEL.image]).toBe('base');
    const { id } = await rig.startSandbox();
    const tools = 'bash git curl wget less ps rg jq python3 openssl unzip xz nano node npm npx pip';
    const { stdout, exit } = await rig.run(
      id,
      `for tool in ${tools}; do command -v $tool >/dev/null || echo $tool; done; locale charmap 2>/dev/null; node --version`,
    );
    expect(exit).toBe(0);
    expect(stdout).toMatch(/^UTF-8\nv24\./);
  });

  it('trusts what this machine trusts beyond the public authorities', async () => {
    const { id } = await rig.startSandbox();
    const { stdout } = await rig.run(id, 'cat /etc/ssl/certs/ca-certificates.crt');
    for (const { pem } of hostAuthorities(process.env)) expect(stdout).toContain(pem);
    expect((await rig.run(id, 'echo $NODE_EXTRA_CA_CERTS')).stdout).toBe(
      '/etc/ssl/certs/ca-certificates.crt\n',
    );
  });

  it('lets go of what its inputs no longer ask for', async () => {
    const changing = join(rig.folder, 'changing');
    await cp(rig.imagesFolder, changing, { recursive: true });
    const own = rig.scope.child('changing');
    const other = unwrap(
      await findEngine({ installId: rig.installId, env: process.env, imagesFolder: changing }, own),
    );
    const ids: string[] = [];
    for (const value of ['one', 'two']) {
      const dockerfile = `ARG BASE\nFROM \${BASE}\nENV TEST=${rig.installId}-${value}\n`;
      await writeFile(join(changing, 'guard/Dockerfile'), dockerfile);
      ids.push(unwrap(await other.ensureImages('shell', () => undefined, never)).guard);
    }
    await expect(rig.docker.getImage(ids[0] ?? '').inspect()).rejects.toMatchObject({
      statusCode: 404,
    });
    expect((await rig.docker.getImage(ids[1] ?? '').inspect()).RepoTags).toHaveLength(1);
    await own.close();
    rig.images = unwrap(await rig.engine.ensureImages('shell', () => undefined, never));
  });

  it('says which step failed, with its last words, and nothing is left half built', async () => {
    const broken = join(rig.folder, 'broken');
    await cp(rig.imagesFolder, broken, { recursive: true });
    await writeFile(
      join(broken, 'gateway/Dockerfile'),
      'ARG BASE\nFROM ${BASE}\n# step: weaving the net\nRUN echo the thread is torn; exit 3\n',
    );
    const own = rig.scope.child('broken');
    const other = unwrap(
      await findEngine({ installId: rig.installId, env: process.env, imagesFolder: broken }, own),
    );
    const result = await other.ensureImages('shell', () => undefined, never);
    expect(result).toMatchObject({ ok: false, error: { code: 'image.build-failed' } });
    expect(result.ok ? '' : result.error.message).toMatch(
      /weaving the net \(step 3 of \d\).*non-zero code: 3\n(.*\n)*the thread is torn/,
    );
    await own.close();
  });

  it('stops a build when it is called off', async () => {
    const slow = join(rig.folder, 'slow');
    await cp(rig.imagesFolder, slow, { recursive: true });
    await writeFile(
      join(slow, 'gateway/Dockerfile'),
      `ARG BASE\nFROM \${BASE}\nRUN sleep 61 # ${rig.installId}\n`,
    );
    const own = rig.scope.child('slow');
    const other = unwrap(
      await findEngine({ installId: rig.installId, env: process.env, imagesFolder: slow }, own),
    );
    const stop = new AbortController();
    const began = performance.now();
    const result = await other.ensureImages(
      'shell',
      ({ message }) => {
        if (message.includes('running a command')) stop.abort();
      },
      stop.signal,
    );
    expect(result).toMatchObject({ ok: false, error: { code: 'image.build-failed' } });
    expect(result.ok ? '' : result.error.message).toContain('called off');
    expect(performance.now() - began).toBeLessThan(30_000);
    await own.close();
  });
});

describe('the assistants', () => {
  it.each([
    ['claude-code', 'claude'],
    ['codex', 'codex'],
    ['gemini-cli', 'gemini'],
    ['opencode', 'opencode'],
  ] as const)('%s starts in a sandbox, in its pinned version', async (assistant, command) => {
    const made = unwrap(await rig.engine.ensureImages(assistant, () => undefined, never));
    const state = await rig.engine.imageState(assistant);
    expect(state.state).toBe('ready');
    const { id } = await rig.startSandbox([], {
      image: made.sandbox,
      limits: { memoryBytes: 1024 * 1024 * 1024, cpus: 2, pids: 256 },
    });
    const { stdout, stderr, exit } = await rig.run(id, `${command} --version`);
    expect(stderr).toBe('');
    expect(stdout).toContain(state.version ?? 'no version');
    expect(exit).toBe(0);
  });
});
