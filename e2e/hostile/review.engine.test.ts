import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { unwrap } from '../../app/kit/index.ts';
import { fingerprint } from '../fixtures/project.ts';
import { openArena, type Arena } from './arena.ts';

let arena: Arena;

afterEach(async () => {
  await arena.close();
});

/** Runs a script inside, stops the session and accepts everything, as a hasty user would. */
const playAndAccept = async (script: string): Promise<Arena> => {
  arena = await openArena();
  const before = fingerprint(arena.project);
  await arena.inside.run(`cd '${arena.project}'; ${script}`);
  await arena.inside.close();
  expect(fingerprint(arena.project)).toBe(before);
  unwrap(await arena.host.sessions.accept(arena.inside.session));
  return arena;
};

/** Uses git on the host as the developer would, with an environment of its own. */
const hostGit = (project: string, ...args: string[]): string =>
  execFileSync(
    'git',
    ['-c', 'safe.directory=*', '-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args],
    {
      cwd: project,
      encoding: 'utf8',
      env: { PATH: process.env['PATH'] ?? '', HOME: '/nonexistent', GIT_CONFIG_NOSYSTEM: '1' },
    },
  );

describe('what the assistant leaves behind', () => {
  it('runs nothing on the host: hooks, git configuration, filters, nested repositories', async () => {
    const marker = (name: string): string => `"$PWD/../ran-${name}"`;
    const { project, hostHome } = await playAndAccept(`
      mkdir -p .git/hooks
      for h in pre-commit post-checkout post-commit pre-push post-index-change fsmonitor-watchman reference-transaction; do
        printf '#!/bin/sh\\ntouch %s\\n' ${marker('hook')} > .git/hooks/$h; chmod +x .git/hooks/$h
      done
      printf '#!/bin/sh\\ntouch %s\\n' ${marker('fsmonitor')} > fsm.sh; chmod +x fsm.sh
      git config core.fsmonitor "$PWD/fsm.sh"
      git config core.hooksPath "$PWD/.git/hooks"
      git config core.sshCommand "touch $PWD/../ran-ssh"
      git config filter.evil.smudge "$PWD/fsm.sh"; git config filter.evil.clean "$PWD/fsm.sh"
      git config diff.external "$PWD/fsm.sh"; git config core.pager "$PWD/fsm.sh"; git config alias.st "!$PWD/fsm.sh"
      echo '* filter=evil diff=evil' > .gitattributes
      mkdir -p .git/info && echo '* filter=evil' > .git/info/attributes
      mkdir -p sub && cd sub && git init -q . && git config core.fsmonitor "$PWD/../fsm.sh" && cd ..
      echo changed >> src/index.js
    `);
    hostGit(project, 'status');
    hostGit(project, 'add', 'src');
    hostGit(project, 'commit', '-q', '-m', 'after');
    hostGit(project, 'checkout', '-q', '-b', 'other');
    hostGit(project, 'diff', '--cached');
    if (existsSync(join(project, 'sub'))) hostGit(join(project, 'sub'), 'status');
    expect(readdirSync(hostHome).filter((name) => name.startsWith('ran-'))).toEqual([]);
    expect(existsSync(join(project, '.git/hooks/post-checkout'))).toBe(false);
    expect(readFileSync(join(project, '.git/config'), 'utf8')).not.toContain('fsm.sh');
    expect(readFileSync(join(project, 'src/index.js'), 'utf8')).toContain('changed');
  });

  it('writes nothing outside the project: links, and folders turned into links', async () => {
    const { project, hostHome } = await playAndAccept(`
      ln -s ../.ssh escape; echo evil > escape/authorized_keys
      rm -rf src; ln -s "$PWD/../.aws" src
      ln -s /etc/passwd etc-link
      mkdir deep; ln -s ../../.ssh deep/.ssh
      echo ok > fine.txt
    `);
    expect(existsSync(join(hostHome, '.ssh/authorized_keys'))).toBe(false);
    expect(readdirSync(join(hostHome, '.aws'))).toEqual(['credentials']);
    expect(readFileSync(join(project, 'fine.txt'), 'utf8')).toBe('ok\n');
    for (const name of ['escape', 'etc-link', 'deep/.ssh']) {
      expect(existsSync(join(project, name))).toBe(false);
    }
  });

  it('can not replace a hidden file on the host', async () => {
    const { project } = await playAndAccept(`
      echo 'API_KEY=mine' > .env; rm -rf deploy; mkdir -p deploy/prod/eu; echo x > deploy/prod/eu/.env.production
    `);
    expect(readFileSync(join(project, '.env'), 'utf8')).toContain('top-env-canary');
    expect(readFileSync(join(project, 'deploy/prod/eu/.env.production'), 'utf8')).toContain(
      'deep-env-canary',
    );
  });

  it('keeps no set-uid bit, device or socket', async () => {
    const { project } = await playAndAccept(`
      cp /bin/true tool; chmod 6755 tool; mkfifo pipe
      python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('sock')"
    `);
    expect(existsSync(join(project, 'pipe'))).toBe(false);
    expect(existsSync(join(project, 'sock'))).toBe(false);
    const mode = existsSync(join(project, 'tool'))
      ? execFileSync('stat', ['-c', '%a', join(project, 'tool')], { encoding: 'utf8' }).trim()
      : '755';
    expect(mode).toBe('755');
  });
});
