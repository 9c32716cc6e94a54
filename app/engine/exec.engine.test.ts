import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { SANDBOX_HOME } from './index.ts';
import { openEngineRig, plain, user, type EngineRig } from './testing/engine-rig.ts';

let rig: EngineRig;
beforeAll(async () => {
  rig = await openEngineRig();
});
afterEach(() => rig.removeSessions());
afterAll(() => rig.close());

describe('exec', () => {
  it('keeps output and errors apart, hands input over, and gives the exit status', async () => {
    const { id } = await rig.startSandbox();
    expect(await rig.run(id, 'cat; echo aside >&2; exit 41', 'from outside\n')).toEqual({
      stdout: 'from outside\n',
      stderr: 'aside\n',
      exit: 41,
    });
  });

  it('carries eight megabytes each way unharmed', async () => {
    const { id } = await rig.startSandbox();
    const much = 'glovebox'.repeat(1024 * 1024);
    const { stdout, exit } = await rig.run(id, 'cat', much);
    expect(exit).toBe(0);
    expect(stdout === much).toBe(true);
  });

  it('with a terminal: the size asked for, resized while it runs, one stream', async () => {
    const { id } = await rig.startSandbox();
    const started = unwrap(
      await rig.engine.exec(id, {
        command: [
          'bash',
          '-c',
          'read -r _; stty size; trap "stty size; exit 7" WINCH; echo ready; while :; do sleep 0.05; done',
        ],
        env: {},
        workingFolder: SANDBOX_HOME,
        user,
        tty: true,
        size: { columns: 91, rows: 33 },
      }),
    );
    if (!started.io.tty) throw new Error('a terminal was asked for');
    const { stream } = started.io;
    let seen = '';
    const has = (words: string): Promise<void> =>
      new Promise((resolve) => {
        const check = (): void => {
          if (seen.includes(words)) resolve();
        };
        stream.on('data', check);
        check();
      });
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    stream.write('\n');
    await has('ready');
    expect(seen).toContain('33 91');
    await started.resize({ columns: 120, rows: 40 });
    expect(await started.exit).toBe(7);
    expect(seen).toContain('40 120');
  });

  it('ends with 137 when its container is removed, and says so where there is none', async () => {
    const { id, session } = await rig.startSandbox();
    const started = unwrap(await rig.engine.exec(id, plain('sh', '-c', 'echo up; sleep 60')));
    if (started.io.tty) throw new Error('a terminal was not asked for');
    await once(started.io.stdout, 'data');
    unwrap(await rig.engine.removeSession(session));
    expect(await started.exit).toBe(137);
    expect(await rig.engine.exec(id, plain('true'))).toMatchObject({
      ok: false,
      error: { code: 'engine.failed' },
    });
  });
});
