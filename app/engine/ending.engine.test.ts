import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SessionId } from '../contract/index.ts';
import { randomId, unwrap } from '../kit/index.ts';
import { findEngine } from './index.ts';
import { LABEL, sessionLabels } from './labels.ts';
import { thisOwner } from './owner.ts';
import { never, openEngineRig, plain, user, type EngineRig } from './testing/engine-rig.ts';

let rig: EngineRig;
beforeAll(async () => {
  rig = await openEngineRig();
});
afterEach(() => rig.removeSessions());
afterAll(() => rig.close());

describe('the end', () => {
  it('takes everything of the session and nothing else, and may be asked twice', async () => {
    const one = await rig.startSandbox([
      { type: 'volume', name: `gb-${rig.installId}`, target: '/data', readOnly: false },
    ]);
    const other = await rig.startSandbox();
    unwrap(await rig.engine.removeSession(one.session));
    unwrap(await rig.engine.removeSession(one.session));
    const left = await rig.docker.listContainers({
      all: true,
      filters: { label: [`${LABEL.install}=${rig.installId}`] },
    });
    expect(left.map(({ Id }) => Id).toSorted()).toEqual([other.id, other.gateway].toSorted());
    await rig.docker.getVolume(`gb-${rig.installId}`).remove();
  });

  it('shows when a container ends, with its status', async () => {
    const session = rig.newSession();
    const gateway = unwrap(
      await rig.engine.startGateway(
        { session, image: rig.images.gateway, user, linkFolder: rig.folder },
        never,
      ),
    );
    await rig.docker.getContainer(gateway.id).kill();
    expect(await gateway.ended).toMatchObject({ exitCode: 137 });
  });

  it('sweeps what a dead owner left, and only that', async () => {
    const living = await rig.startSandbox();
    const owner = await thisOwner();
    const dead = SessionId.parse(randomId());
    const foreign = SessionId.parse(randomId());
    const create = (
      install: string,
      session: SessionId,
      start: string,
    ): Promise<Docker.Container> =>
      rig.docker.createContainer({
        Image: rig.images.gateway,
        Labels: sessionLabels(install, session, 'gateway', { pid: owner.pid, start }),
      });
    const gone = await create(rig.installId, dead, `${owner.start}0`);
    const others = await create(`${rig.installId}-other`, foreign, `${owner.start}0`);
    await rig.docker.createVolume({
      Name: `glovebox-${rig.installId}-${dead}-0`,
      Labels: sessionLabels(rig.installId, dead, 'working-copy', {
        pid: owner.pid,
        start: `${owner.start}0`,
      }),
    });
    expect(unwrap(await rig.engine.sweep())).toEqual([dead]);
    await expect(gone.inspect()).rejects.toMatchObject({ statusCode: 404 });
    await expect(
      rig.docker.getVolume(`glovebox-${rig.installId}-${dead}-0`).inspect(),
    ).rejects.toMatchObject({ statusCode: 404 });
    expect((await rig.docker.getContainer(living.id).inspect()).State.Running).toBe(true);
    await others.remove({ force: true });
    expect(unwrap(await rig.engine.sweep())).toEqual([]);
  });
});

describe('an engine that goes away', () => {
  it('ends what was under way with -1 and every further ask with a coded failure', async () => {
    const own = rig.scope.child('loss');
    const path = join(rig.folder, 'proxy.sock');
    const open = new Set<Socket>();
    const proxy = createServer((client) => {
      const upstream = connect(rig.engine.address);
      for (const socket of [client, upstream]) {
        open.add(socket.on('error', () => undefined));
      }
      client.pipe(upstream).pipe(client);
    });
    await new Promise<void>((resolve) => {
      proxy.listen(path, resolve);
    });
    const env = { ...process.env, DOCKER_HOST: `unix://${path}` };
    const far = unwrap(
      await findEngine({ installId: rig.installId, env, imagesFolder: rig.imagesFolder }, own),
    );
    expect(far.address).toBe(path);
    const session = rig.newSession();
    const gateway = unwrap(
      await far.startGateway(
        { session, image: rig.images.gateway, user, linkFolder: rig.folder },
        never,
      ),
    );
    const started = unwrap(
      await far.exec(gateway.id, { ...plain('sleep', '60'), workingFolder: '/' }),
    );
    expect(await far.ping()).toBe(true);
    await new Promise<void>((resolve) => {
      proxy.close(() => resolve());
      for (const socket of open) socket.destroy();
    });
    expect(await started.exit).toBe(-1);
    expect(await gateway.ended).toEqual({ exitCode: -1, tail: '' });
    expect(await far.ping()).toBe(false);
    const lost = { ok: false, error: { code: 'engine.lost' } };
    expect(await far.exec(gateway.id, plain('true'))).toMatchObject(lost);
    expect(await far.removeSession(session)).toMatchObject(lost);
    expect(await far.sweep()).toMatchObject(lost);
    expect(await far.ensureImages('shell', () => undefined, never)).toMatchObject(lost);
    expect(await far.imageState('codex')).toMatchObject({ state: 'unknown' });
    await own.close();
  });
});
