import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toStartRequest, type RunFlags } from './run-request.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'glovebox-cli-'));
});
afterAll(() => rm(folder, { recursive: true }));

const NONE: RunFlags = {
  project: '.',
  workspace: 'overlay',
  grant: [],
  allow: [],
  deny: [],
  passThrough: [],
  resolve: [],
  hide: [],
  show: [],
};
const ask = (flags: Partial<RunFlags>, command: readonly string[] = ['true']) =>
  toStartRequest({ ...NONE, ...flags }, command, { workingFolder: folder });

describe('the request that `glovebox run` makes', () => {
  it('is closed by default: nothing granted, nothing allowed but the assistant’s own services', async () => {
    expect(await ask({}, ['sh', '-c', 'echo --allow x'])).toEqual({
      ok: true,
      value: {
        project: folder,
        assistant: 'shell',
        workspace: 'overlay',
        grants: [],
        network: { default: 'deny', presets: ['assistant'], allow: [], deny: [], resolve: [] },
        limits: {},
        hide: { add: [], show: [] },
        command: ['sh', '-c', 'echo --allow x'],
      },
    });
  });

  it('carries every flag', async () => {
    const made = await ask({
      project: 'sub',
      assistant: 'claude-code',
      workspace: 'live',
      grant: ['work', 'other@*.example.com:8443 methods=get path=/v1/*'],
      allow: ['example.com', 'example.org:8080'],
      deny: ['bad.example.com'],
      passThrough: ['pinned.example.com'],
      default: 'allow',
      resolve: ['api.example.com:443:127.0.0.1:9443'],
      dns: '127.0.0.1:5353',
      upstreamCa: 'ca.pem',
      hide: ['private'],
      show: ['.env.sample'],
      ttl: '1h30m',
      memory: '1.5g',
      cpus: '2.5',
    });
    expect(made).toMatchObject({
      ok: true,
      value: {
        project: join(folder, 'sub'),
        assistant: 'claude-code',
        workspace: 'live',
        grants: [
          { credential: 'work' },
          {
            credential: 'other',
            hosts: ['*.example.com:8443'],
            methods: ['GET'],
            paths: ['/v1/*'],
          },
        ],
        network: {
          default: 'allow',
          allow: ['example.com', 'example.org:8080'],
          deny: ['bad.example.com'],
          passThrough: ['pinned.example.com'],
          resolve: ['api.example.com:443:127.0.0.1:9443'],
          dns: '127.0.0.1:5353',
          upstreamCa: join(folder, 'ca.pem'),
        },
        limits: { memoryBytes: 1.5 * 1024 ** 3, cpus: 2.5, ttlMs: 5_400_000 },
        hide: { add: ['private'], show: ['.env.sample'] },
      },
    });
  });

  it('runs the assistant itself where no command is given', async () => {
    const made = await ask({ assistant: 'codex' }, []);
    expect(made.ok && 'command' in made.value).toBe(false);
  });

  it('adds the policy file; flags win for single values', async () => {
    const policy = join(folder, 'policy.yml');
    await writeFile(
      policy,
      'version: 1\ndefault: allow\npresets: [registries]\nallow: [a.example]\ndeny: [b.example]\npass-through: [p.example]\ngit: [deny push github.com/**]\ngrants: [one]\nlimits: {memory: 512m, ttl: 10m}\nhide: {add: [x]}\n',
    );
    expect(
      await ask({
        policy: 'policy.yml',
        allow: ['c.example'],
        default: 'deny',
        ttl: '5m',
        grant: ['two'],
      }),
    ).toMatchObject({
      ok: true,
      value: {
        grants: [{ credential: 'one' }, { credential: 'two' }],
        network: {
          default: 'deny',
          presets: ['assistant', 'registries'],
          allow: ['a.example', 'c.example'],
          deny: ['b.example'],
          passThrough: ['p.example'],
          git: ['deny push github.com/**'],
        },
        limits: { memoryBytes: 512 * 1024 ** 2, ttlMs: 300_000 },
        hide: { add: ['x'] },
      },
    });
  });

  it('says where a broken policy file is broken', async () => {
    await writeFile(
      join(folder, 'broken.yml'),
      'version: 1\nallow:\n  - a.example\n  - "b example"\n',
    );
    const made = await ask({ policy: 'broken.yml' });
    expect(made).toMatchObject({ ok: false, error: { code: 'policy.invalid' } });
    expect(!made.ok && made.error.message).toMatch(/^broken\.yml:4:5: /);
  });

  it.each([
    [{ policy: 'missing.yml' }, 'missing.yml'],
    [{ workspace: 'elsewhere' }, '--workspace'],
    [{ assistant: 'clippy' }, '--assistant'],
    [{ default: 'maybe' }, '--default'],
    [{ grant: ['@host'] }, '--grant @host'],
    [{ ttl: '5' }, '--ttl 5'],
    [{ memory: 'lots' }, '--memory lots'],
    [{ memory: '1m' }, '--memory'],
    [{ cpus: '1e9' }, '--cpus 1e9'],
    [{ cpus: '0' }, '--cpus'],
    [{ hide: ['/etc'] }, '--hide'],
    [{ show: ['../x'] }, '--show'],
    [{ allow: ['x'.repeat(1000)] }, '--allow'],
  ] as const)('refuses %j and names the flag', async (flags, named) => {
    const made = await ask(flags);
    expect(made).toMatchObject({ ok: false, error: { code: 'policy.invalid' } });
    expect(!made.ok && made.error.message).toContain(named);
  });

  it.each([{ image: 'alpine' }, { workspace: 'clone' }])(
    'answers “not yet” to %j',
    async (flags) => {
      expect(await ask(flags)).toMatchObject({ ok: false, error: { code: 'not-yet' } });
    },
  );
});
