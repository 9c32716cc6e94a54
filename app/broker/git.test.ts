import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Question } from '../contract/index.ts';
import { gitVariables } from '../session/git-variables.ts';
import { FLUSH_PKT, writePktLine } from './process/mediators/pkt-line.ts';
import type { Answer } from './port.ts';
import { createTestAuthority } from './testing/certificates.ts';
import { createForge, type ForgeCall } from './testing/git-forge.ts';
import { createRig, listenEither, listenTls, type Rig, type Upstream } from './testing/setup.ts';

const PASSWORD = 'ghp_realrealrealrealreal0123456789abcd';

const NO: Answer = { answer: 'denied', scope: 'once' };
const ONCE: Answer = { answer: 'allowed', scope: 'once' };
const SESSION: Answer = { answer: 'allowed', scope: 'session' };

type Ran = { readonly status: number; readonly text: string };

describe.each(['h1', 'h2'] as const)('git inside, over %s', (protocol) => {
  const folder = mkdtempSync(join(tmpdir(), 'gbx-git-'));
  const forgeRoot = join(folder, 'forge');
  let rig: Rig;
  let upstream: Upstream;
  let door: Server;
  let port = 0;
  let calls: ForgeCall[] = [];
  let env: Record<string, string> = {};
  const asked: Question[] = [];
  const answers: Answer[] = [];

  const git = (where: string, ...args: readonly string[]): Promise<Ran> =>
    new Promise((resolve) => {
      execFile('git', args, { cwd: where, env, timeout: 15_000 }, (failed, out, complaint) => {
        const status = failed === null ? 0 : typeof failed.code === 'number' ? failed.code : -1;
        resolve({ status, text: `${out}${complaint}` });
      });
    });
  const must = async (where: string, ...args: readonly string[]): Promise<string> => {
    const { status, text } = await git(where, ...args);
    if (status !== 0) throw new Error(`git ${args.join(' ')}: ${text}`);
    return text;
  };
  const url = (repository: string): string =>
    `https://forge.test:${String(port)}/${repository}.git`;
  const clone = async (repository: string, into: string): Promise<string> => {
    const path = join(folder, into);
    await must(folder, 'clone', '-q', url(repository), path);
    return path;
  };
  const commit = async (path: string, text: string): Promise<void> => {
    writeFileSync(join(path, 'file'), text);
    await must(path, 'add', 'file');
    await must(path, 'commit', '-qm', 'change');
  };
  const refs = (repository: string): Promise<string> =>
    must(join(forgeRoot, `${repository}.git`), 'for-each-ref', '--format=%(refname)');

  beforeAll(async () => {
    // A program inside speaks to this door as to the forge; behind it is the captured connection.
    door = createServer({ allowHalfOpen: true }, (socket) => {
      void rig.tcp('forge.test', port).then((captured) => {
        socket.pipe(captured).pipe(socket);
        socket.on('error', () => captured.destroy());
        captured.on('error', () => socket.destroy());
      });
    });
    await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve));
    ({ port } = door.address() as AddressInfo);
    const authority = await createTestAuthority();
    const forge = createForge(forgeRoot, PASSWORD);
    ({ calls } = forge);
    const listen = protocol === 'h1' ? listenTls : listenEither;
    upstream = await listen(authority, ['forge.test'], forge.listener);
    const host = `forge.test:${String(port)}`;
    rig = await createRig({
      ask: (_id, question) => {
        asked.push(question);
        return Promise.resolve(answers.shift() ?? NO);
      },
      authority,
      resolve: [`${host}:127.0.0.1:${String(upstream.port)}`],
      allow: [host],
      grants: [{ kind: 'github', hosts: [host], secret: PASSWORD }],
      git: [
        `allow fetch ${host}/me/*`,
        `allow push ${host}/me/work branch dev`,
        `allow push ${host}/me/work branch agent/*`,
        `allow push ${host}/me/free`,
        `deny push ${host}/me/closed`,
        `ask push ${host}/me/asked`,
        `ask fetch ${host}/asked/*`,
      ],
    });
    const ca = join(folder, 'ca.pem');
    writeFileSync(ca, rig.broker.authority.certificatePem);
    const settings = gitVariables(rig.grants);
    const count = Number(settings['GIT_CONFIG_COUNT']);
    env = {
      PATH: process.env['PATH'] ?? '',
      HOME: folder,
      GIT_TERMINAL_PROMPT: '0',
      GIT_SSL_CAINFO: ca,
      GITHUB_TOKEN: rig.grants[0]?.placeholder ?? '',
      GIT_AUTHOR_NAME: 'a',
      GIT_AUTHOR_EMAIL: 'a@example.com',
      GIT_COMMITTER_NAME: 'a',
      GIT_COMMITTER_EMAIL: 'a@example.com',
      ...settings,
      GIT_CONFIG_COUNT: String(count + 2),
      [`GIT_CONFIG_KEY_${String(count)}`]: 'http.curloptResolve',
      [`GIT_CONFIG_VALUE_${String(count)}`]: `forge.test:${String(port)}:127.0.0.1`,
      [`GIT_CONFIG_KEY_${String(count + 1)}`]: 'init.defaultBranch',
      [`GIT_CONFIG_VALUE_${String(count + 1)}`]: 'main',
    };
    const seed = join(folder, 'seed');
    await must(folder, 'init', '-q', seed);
    await commit(seed, 'first');
    for (const name of [
      'me/work',
      'me/free',
      'me/closed',
      'me/asked',
      'asked/repo',
      'other/secret',
    ]) {
      const bare = join(forgeRoot, `${name}.git`);
      await must(folder, 'clone', '-q', '--bare', seed, bare);
      await must(bare, 'config', 'http.receivepack', 'true');
      await must(bare, 'config', 'receive.advertisePushOptions', 'true');
    }
  });
  afterAll(async () => {
    door.close();
    await rig.close();
    await upstream.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(['0', '1', '2'])('clones a private repository over protocol %s', async (version) => {
    const path = join(folder, `clone-${version}`);
    await must(folder, '-c', `protocol.version=${version}`, 'clone', '-q', url('me/work'), path);
    expect(await must(path, 'log', '--oneline')).toContain('change');
    const logins = calls.map(({ login }) => login).filter((login) => login !== undefined);
    expect(new Set(logins)).toEqual(new Set([`x-access-token:${PASSWORD}`]));
    expect(await must(path, 'config', '--list')).not.toContain(PASSWORD);
  });

  it('pushes where a rule allows it, small and large', async () => {
    const path = await clone('me/work', 'push');
    await commit(path, 'second');
    await must(path, 'push', '-q', 'origin', 'HEAD:dev', 'HEAD:agent/one');
    // Past git's post buffer the pack goes in chunks, behind an empty probe.
    await commit(path, Array.from({ length: 200_000 }, () => Math.random()).join(''));
    await must(path, '-c', 'http.postBuffer=65536', 'push', '-q', 'origin', 'HEAD:dev');
    await must(path, 'push', '-q', 'origin', ':agent/one');
    expect(await refs('me/work')).toBe('refs/heads/dev\nrefs/heads/main\n');
    const open = await clone('me/free', 'free');
    await commit(open, 'second');
    await must(open, 'push', '-q', '-o', 'ci.skip', 'origin', 'HEAD:main', 'HEAD:refs/tags/v1');
    expect(await refs('me/free')).toBe('refs/heads/main\nrefs/tags/v1\n');
  });

  it('is told in words which ref it may not push, and nothing of the push goes up', async () => {
    const path = await clone('me/work', 'denied');
    await commit(path, 'third');
    const before = calls.length;
    const denied = await git(path, 'push', 'origin', 'HEAD:main', 'HEAD:agent/two');
    expect(denied.status).toBe(1);
    expect(denied.text).toMatch(
      /remote: .*update refs\/heads\/main.*not allowed.*git\.push-denied/,
    );
    expect(denied.text).toMatch(/\[remote rejected\] HEAD -> main \(refused by Glovebox\)/);
    expect(calls.slice(before).some(({ url: seen }) => seen.endsWith('/git-receive-pack'))).toBe(
      false,
    );
    expect(await refs('me/work')).not.toContain('agent/two');
    await rig.until(
      () => rig.events.some((event) => event.kind === 'egress' && event.code === 'git.push-denied'),
      'the record',
    );
    const record = rig.events.find(
      (event) => event.kind === 'egress' && event.code === 'git.push-denied',
    );
    expect(record).toMatchObject({ verdict: 'denied', method: 'POST', protocol });
    expect(JSON.stringify(record)).toContain('update refs/heads/main');
  });

  it('may not delete, force or tag what no rule allows', async () => {
    const path = await clone('me/work', 'more');
    await must(path, 'commit', '-q', '--amend', '-m', 'other');
    for (const what of [
      ['origin', ':main'],
      ['-f', 'origin', 'HEAD:main'],
      ['origin', 'HEAD:refs/tags/v9'],
      ['--mirror', 'origin'],
    ]) {
      const ran = await git(path, 'push', ...what);
      expect(ran.status).not.toBe(0);
      expect(ran.text).toContain('git.push-denied');
    }
    expect(await refs('me/work')).not.toMatch(/tags/);
  });

  it('may not send push options where rules go by branch', async () => {
    const path = await clone('me/work', 'options');
    await commit(path, 'fourth');
    const ran = await git(path, 'push', '-o', 'merge_request.create', 'origin', 'HEAD:agent/three');
    expect(ran.text).toMatch(/use push options.*git\.push-denied/);
    expect(await refs('me/work')).not.toContain('agent/three');
  });

  it('is told at once where no push at all is allowed', async () => {
    const path = await clone('me/closed', 'closed');
    await commit(path, 'second');
    const ran = await git(path, 'push', 'origin', 'HEAD:main');
    expect(ran.status).toBe(128);
    expect(ran.text).toMatch(
      /remote error: Pushing to .*me\/closed is not allowed.*git\.push-denied/,
    );
  });

  it('may not fetch what no rule allows', async () => {
    const ran = await git(folder, 'clone', url('other/secret'), join(folder, 'secret'));
    expect(ran.text).toMatch(/remote error: Fetching from .*other\/secret.*git\.fetch-denied/);
  });

  it('may not ask for a pack at once, without being told the refs first', async () => {
    const before = calls.length;
    const answer = await rig.fetch(`${url('other/secret')}/git-upload-pack`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-git-upload-pack-request' },
      body: '0000',
    });
    expect(answer.headers['glovebox-code']).toBe('git.fetch-denied');
    expect(calls).toHaveLength(before);
  });

  it('may not push by a request that only says that it reads', async () => {
    const before = calls.length;
    const answer = await rig.fetch(`${url('me/work')}/git-receive-pack`, {
      headers: {
        authorization: `Basic ${Buffer.from(`x:${rig.grants[0]?.placeholder ?? ''}`).toString('base64')}`,
        'x-http-method-override': 'POST',
      },
    });
    expect(answer.headers['glovebox-code']).toBe('git.unreadable');
    expect(calls.length).toBe(before);
  });

  it('waits for a person’s answer about exactly the branches of a push', async () => {
    const path = await clone('me/asked', 'asked');
    await commit(path, 'second');
    answers.push(ONCE, SESSION);
    asked.length = 0;
    await must(path, 'push', '-q', 'origin', 'HEAD:one');
    expect(asked).toEqual([
      {
        what: 'git-push',
        scheme: 'https',
        host: 'forge.test',
        port,
        repository: 'me/asked',
        refs: ['create refs/heads/one'],
        credential: 'cred-0',
      },
    ]);
    // Once was once; for the session is for this branch, and not for another or for its end.
    await commit(path, 'third');
    await must(path, 'push', '-q', 'origin', 'HEAD:one');
    await commit(path, 'fourth');
    await must(path, 'push', '-q', 'origin', 'HEAD:one');
    expect(asked.map(({ refs: which }) => which)).toEqual([
      ['create refs/heads/one'],
      ['update refs/heads/one'],
    ]);
    await commit(path, 'fifth');
    const before = await refs('me/asked');
    for (const what of [['HEAD:two'], ['HEAD:one', 'HEAD:three'], [':one']]) {
      const ran = await git(path, 'push', 'origin', ...what);
      expect(ran.status).toBe(1);
      expect(ran.text).toMatch(/said no.*ask\.denied/);
    }
    expect(asked.length).toBe(5);
    expect(asked[3]?.refs).toEqual(['update refs/heads/one', 'create refs/heads/three']);
    expect(await refs('me/asked')).toBe(before);
    const find = () =>
      rig.events.find((event) => event.kind === 'egress' && event.code === 'ask.denied');
    await rig.until(() => find() !== undefined, 'the record');
    expect(find()).toMatchObject({ verdict: 'denied', asked: expect.any(String) });
  });

  it('asks once for the several requests of one fetch', async () => {
    answers.push(ONCE);
    asked.length = 0;
    const path = join(folder, 'fetched');
    await must(folder, 'clone', '-q', url('asked/repo'), path);
    expect(asked.map(({ what, repository }) => `${what} ${repository ?? ''}`)).toEqual([
      'git-fetch asked/repo',
    ]);
  });

  it('is told where a person refuses a fetch, or a push is more than one question shows', async () => {
    asked.length = 0;
    const ran = await git(folder, 'clone', url('asked/other'), join(folder, 'not'));
    expect(ran.text).toMatch(/said no.*ask\.denied/);
    const path = await clone('me/asked', 'many');
    const many = Array.from({ length: 11 }, (_, index) => `HEAD:many-${String(index)}`);
    const refused = await git(path, 'push', 'origin', ...many);
    expect(refused.text).toContain('ask.unclear');
    expect(asked.length).toBe(1);
  });

  it('has a compressed push read like any other, and an unreadable one refused', async () => {
    const command = `${'0'.repeat(40)} ${'1'.repeat(40)} refs/heads/main\0report-status`;
    const push = Buffer.concat([writePktLine(command), FLUSH_PKT]);
    const post = (body: Buffer, coding: string) =>
      rig.fetch(`${url('me/work')}/git-receive-pack`, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-git-receive-pack-request',
          'content-encoding': coding,
        },
        body,
      });
    for (const [body, coding] of [
      [push, 'identity'],
      [gzipSync(push), 'gzip'],
      [gzipSync(Buffer.concat([push, Buffer.alloc(8 * 1024 * 1024)])), 'x-gzip'],
    ] as const) {
      const answer = await post(body, coding);
      expect(answer.headers['glovebox-code']).toBe('git.push-denied');
      expect(answer.text).toContain('ng refs/heads/main');
    }
    const allowed = writePktLine(command.replace('heads/main', 'heads/dev'));
    const placeholder = rig.grants[0]?.placeholder ?? '';
    const carrying = Buffer.concat([allowed, FLUSH_PKT, Buffer.from(`PACK ${placeholder}`)]);
    const before = calls.length;
    expect((await post(gzipSync(carrying), 'gzip')).headers['glovebox-code']).toBe(
      'grant.wrong-place',
    );
    expect(calls).toHaveLength(before);
    for (const [body, coding] of [
      [push, 'deflate'],
      [push, 'gzip'],
      [gzipSync(push), 'gzip, gzip'],
      [gzipSync(push).subarray(0, 20), 'gzip'],
      [Buffer.from('nonsense'), 'identity'],
    ] as const)
      expect((await post(body, coding)).headers['glovebox-code']).toBe('git.unreadable');
  });
});
