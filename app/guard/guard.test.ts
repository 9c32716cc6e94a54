import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TimelineDraft } from '../contract/index.ts';
import {
  createManualClock,
  createScope,
  unwrap,
  type ManualClock,
  type Scope,
} from '../kit/index.ts';
import { FOLD_MS } from './fold.ts';
import { writeFrame } from './frames.ts';
import { OWNER_TIMEOUT_MS } from './guard.ts';
import { openGuard, type Guard, type GuardedFlow } from './index.ts';

const FLOW: GuardedFlow = {
  protocol: 'tcp',
  family: 4,
  localAddress: '127.0.0.1',
  localPort: 1,
  remoteAddress: '127.0.0.1',
  remotePort: 2,
};
const soon = (): AbortSignal => AbortSignal.timeout(5000);

let folder: string;
let scope: Scope;
let clock: ManualClock;
let drafts: TimelineDraft[];
let guard: Guard;
let socket: Socket;

const send = (kind: string, ...fields: (string | number)[]): void => {
  socket.write(writeFrame(kind, fields));
};
const kinds = (): string[] =>
  drafts.map((draft) => `${draft.kind} ${'op' in draft ? draft.op : ''}`);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gb-guard-'));
  scope = createScope('guard test');
  clock = createManualClock(1_000);
  drafts = [];
  const onEvents = (more: readonly TimelineDraft[]): void => {
    drafts.push(...more);
  };
  guard = unwrap(await openGuard({ socketFolder: folder, watch: '/p', clock, onEvents }, scope));
  socket = createConnection(join(folder, 'guard.sock'));
  socket.on('error', () => undefined);
  await once(socket, 'connect');
});
afterEach(async () => {
  socket.destroy();
  await scope.close();
  await rm(folder, { recursive: true, force: true });
});

const ready = async (): Promise<void> => {
  send('R', '1', 1);
  unwrap(await guard.ready(soon()));
};

describe('openGuard', () => {
  it('tells touches inside the project with their program, and none outside', async () => {
    await ready();
    send('P', 1, 10, 0, 'bash');
    send('P', 2, 11, 1, 'node', 'x.js');
    send('T', 'r', 2, 11, 1, 5_000_000, '/p/a', '');
    send('T', 'r', 2, 11, 1, 5_000_000, '/pp/a', '');
    send('T', 'm', 0, 12, 1, 6_000_000, '/p/a', '/elsewhere');
    send('G', 3, 'the host did not keep up');
    await expect.poll(() => drafts.length).toBe(3);
    expect(drafts).toEqual([
      {
        kind: 'touch',
        at: '1970-01-01T00:00:05.000000Z',
        op: 'read',
        path: '/p/a',
        verdict: 'allowed',
        program: { pid: 11, command: ['node', 'x.js'], ancestors: [['bash']] },
      },
      {
        kind: 'touch',
        at: '1970-01-01T00:00:06.000000Z',
        op: 'rename',
        path: '/p/a',
        to: '/elsewhere',
        verdict: 'allowed',
        program: { pid: 12, command: [] },
      },
      {
        kind: 'gap',
        at: '1970-01-01T00:00:01.000000Z',
        source: 'guard',
        lost: 3,
        message: 'File touches were lost: the host did not keep up.',
      },
    ]);
  });

  it('says so where creations and deletions cannot be seen', async () => {
    send('R', '1', 0);
    unwrap(await guard.ready(soon()));
    expect(kinds()).toEqual(['gap ']);
  });

  it('closes on what it cannot read and tells that the guard is lost, with what was told before', async () => {
    await ready();
    send('T', 'c', 0, 1, 1, 1, '/p/a', '');
    socket.write(Buffer.from('\xff\xff\xff\xffjunk', 'latin1'));
    await once(socket, 'close');
    await expect.poll(kinds).toEqual(['touch create', 'session guard-lost']);
    expect(await guard.ready(soon())).toMatchObject({ ok: false, error: { code: 'guard.failed' } });
  });

  it.each([
    ['another version', () => send('R', '2', 1)],
    ['its own failure', () => send('E', 'fanotify: not permitted')],
    ['an end', () => socket.end()],
  ])('is not ready after %s', async (_what, act) => {
    act();
    expect(await guard.ready(soon())).toMatchObject({ ok: false, error: { code: 'guard.failed' } });
    expect(drafts).toEqual([]);
  });

  it('stops waiting when it is called off', async () => {
    const stop = new AbortController();
    const waiting = guard.ready(stop.signal);
    stop.abort();
    expect(await waiting).toMatchObject({ ok: false, error: { code: 'guard.failed' } });
  });

  it('takes one guard and refuses a second', async () => {
    await ready();
    const second = createConnection(join(folder, 'guard.sock'));
    second.on('error', () => undefined);
    second.resume();
    await once(second, 'close');
    send('T', 'c', 0, 1, 1, 1, '/p/a', '');
    await expect
      .poll(() => {
        clock.advance(FOLD_MS);
        return kinds();
      })
      .toEqual(['touch create']);
  });

  it('asks whose a connection is, and gives up in time', async () => {
    expect(await guard.owner(FLOW)).toBeUndefined();
    await ready();
    const asked = once(socket, 'data');
    const answer = guard.owner(FLOW);
    expect(String((await asked)[0])).toContain(
      'Q1\0tcp\x004\x00127.0.0.1\x001\x00127.0.0.1\x002\0',
    );
    send('P', 5, 50, 0, 'curl');
    send('A', 1, 5);
    expect(await answer).toEqual({ pid: 50, command: ['curl'] });
    const late = guard.owner(FLOW);
    clock.advance(OWNER_TIMEOUT_MS);
    expect(await late).toBeUndefined();
  });

  it('is silent when the session ends it, and leaves no socket', async () => {
    await ready();
    const pending = guard.owner(FLOW);
    await scope.close();
    expect(await pending).toBeUndefined();
    expect(drafts).toEqual([]);
    await expect(stat(join(folder, 'guard.sock'))).rejects.toThrow('ENOENT');
  });

  it('answers with a reason where the folder cannot be used', async () => {
    const other = createScope('other');
    const options = { socketFolder: '/dev/null/no', watch: '/p', clock, onEvents: () => undefined };
    expect(await openGuard(options, other)).toMatchObject({
      ok: false,
      error: { code: 'guard.failed' },
    });
    await other.close();
  });
});
