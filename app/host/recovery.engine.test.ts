import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createTestFolder } from '../../e2e/fixtures/folder.ts';
import { startTestHost } from '../../e2e/fixtures/host.ts';
import { openInside, requestFor } from '../../e2e/fixtures/inside.ts';
import { createTestProject } from '../../e2e/fixtures/project.ts';
import type { SessionId } from '../contract/index.ts';
import { createScope, unwrap, type Closable } from '../kit/index.ts';

const containersOf = (session: string): string =>
  execFileSync('docker', ['ps', '-aq', '--filter', `label=dev.glovebox.session=${session}`], {
    encoding: 'utf8',
  }).trim();

/** The engine's socket, with a plug that can be pulled. */
const startPlug = async (
  path: string,
): Promise<Closable & { pull: () => void; plug: () => Promise<void> }> => {
  const open = new Set<Socket>();
  let server = createServer();
  const plug = (): Promise<void> =>
    new Promise((resolve, reject) => {
      server = createServer((socket) => {
        const engine = connect('/var/run/docker.sock');
        for (const end of [socket, engine]) {
          open.add(end);
          end.on('error', () => undefined);
          end.on('close', () => open.delete(end));
        }
        socket.pipe(engine).pipe(socket);
        socket.on('close', () => engine.destroy());
        engine.on('close', () => socket.destroy());
      });
      server.once('error', reject);
      server.listen(path, resolve);
    });
  const pull = (): void => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  await plug();
  return { pull, plug, close: pull };
};

describe('after a crash', () => {
  it('the next start removes the containers and mounts, and keeps the changes for review', async () => {
    const scope = createScope('crash');
    onTestFinished(() => scope.close());
    const folder = scope.use(createTestFolder('gbx-'));
    const project = scope.use(createTestProject());
    const home = join(folder.path, 'home');
    const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
    const child = spawn(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        main,
        'run',
        '--project',
        project.path,
        '--quiet',
        '--',
        'sh',
        '-c',
        'echo kept > kept.txt; echo started; sleep 600',
      ],
      {
        env: { ...process.env, GLOVEBOX_HOME: home, GLOVEBOX_VAULT: 'sealed' },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (bytes: Buffer) => {
        if (bytes.toString().includes('started')) resolve();
      });
    });
    const [id = ''] = readdirSync(join(home, 'sessions'));
    expect(containersOf(id).split('\n')).toHaveLength(3);
    const { host } = await (async () => {
      const other = await startTestHost({ GLOVEBOX_HOME: home });
      scope.use(other.scope);
      return other;
    })();
    // While its owner lives it is that one's alone.
    expect(host.sessions.get(id as SessionId)).toMatchObject({ state: 'running', owned: false });
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('exit', resolve));

    const after = await startTestHost({ GLOVEBOX_HOME: home });
    scope.use(after.scope);
    await vi.waitFor(() => {
      expect(after.host.sessions.get(id as SessionId)).toMatchObject({
        state: 'review',
        owned: true,
        changed: 1,
        problem: { code: 'session.ended-early' },
      });
    }, 30_000);
    expect(containersOf(id)).toBe('');
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(id);
    expect(existsSync(join(home, 'run', id))).toBe(false);
    expect(existsSync(join(project.path, 'kept.txt'))).toBe(false);
    expect(unwrap(await after.host.sessions.accept(id as SessionId)).applied).toBe(1);
    expect(readFileSync(join(project.path, 'kept.txt'), 'utf8')).toBe('kept\n');
    expect(unwrap(unwrap(after.host.sessions.timeline(id as SessionId)).verify()).intact).toBe(
      true,
    );
  });
});

describe('when the engine goes away', () => {
  it('the session ends with its changes kept, and its containers go when the engine is back', async () => {
    const scope = createScope('lost');
    onTestFinished(() => scope.close());
    const folder = scope.use(createTestFolder('gbx-'));
    const project = scope.use(createTestProject());
    const socket = join(folder.path, 'engine.sock');
    const engine = scope.use(await startPlug(socket));
    const test = await startTestHost({ DOCKER_HOST: `unix://${socket}` });
    scope.use(test.scope);
    const { sessions } = test.host;
    const inside = await openInside(test.host, requestFor(project.path));
    await inside.run('echo kept > kept.txt');

    engine.pull();
    const last = await sessions.ended(inside.session);
    expect(last).toMatchObject({ state: 'review', changed: 1, problem: { code: 'engine.lost' } });
    expect(containersOf(inside.session).split('\n')).toHaveLength(3);
    // They may still write: nothing is brought over before they are known to be gone.
    expect(await sessions.accept(inside.session)).toMatchObject({ ok: false });
    await vi.waitFor(() => expect(test.host.status().engine.state).not.toBe('ready'), 20_000);

    await engine.plug();
    await vi.waitFor(() => expect(containersOf(inside.session)).toBe(''), 30_000);
    expect(test.host.status().engine.state).toBe('ready');
    expect(unwrap(await sessions.accept(inside.session)).applied).toBe(1);
  });
});
