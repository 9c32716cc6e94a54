import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { ChangeSet, SessionSummary, TimelineEvent } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { ensureRenderer } from '../../scripts/setup/renderer.ts';
import { appFolder } from './places.ts';

/** Real sessions through the real launcher: what a user at a shell gets. */
let folder: string;
let project: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gbx-cli-'));
  project = mkdtempSync(join(tmpdir(), 'gbx-project-'));
  chmodSync(project, 0o755);
  writeFileSync(join(project, 'a.txt'), 'one\n');
  writeFileSync(join(project, '.env'), 'TOKEN=not-for-you\n');
  writeFileSync(join(folder, 'passphrase'), 'a passphrase of the tests\n', { mode: 0o600 });
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
  rmSync(project, { recursive: true, force: true });
});

type Outcome = { readonly status: number | null; readonly out: string; readonly err: string };

const launcher = join(appFolder, 'scripts', 'glovebox.mjs');

const begin = (program: string, args: readonly string[]) =>
  spawn(program, args, {
    cwd: project,
    env: {
      ...process.env,
      GLOVEBOX_HOME: join(folder, 'home'),
      GLOVEBOX_VAULT: 'sealed',
      GLOVEBOX_PASSPHRASE_FILE: join(folder, 'passphrase'),
      TERM: 'xterm-256color',
    },
  });

const text = (parts: readonly Buffer[]): string => Buffer.concat(parts).toString('utf8');

const outcomeOf = (child: ReturnType<typeof begin>, input: string): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (part: Buffer) => out.push(part));
    child.stderr.on('data', (part: Buffer) => err.push(part));
    child.on('error', reject);
    child.on('close', (status) => {
      resolve({ status, out: text(out), err: text(err) });
    });
    child.stdin.end(input);
  });

const glovebox = (args: readonly string[], input = ''): Promise<Outcome> =>
  outcomeOf(begin(process.execPath, [launcher, ...args]), input);

const sessionIn = (words: string): string => /[Ss]ession ([0-9a-z]{12})/.exec(words)?.[1] ?? '';
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('it never came to be');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

describe('glovebox run', () => {
  it('prints what the command prints and nothing else, and ends with its status', async () => {
    const ran = await glovebox(['run', '--', 'sh', '-c', 'echo hi; echo oops >&2; exit 3']);
    expect(ran).toMatchObject({ status: 3, out: 'hi\n' });
    expect(ran.err).toContain('oops\n');
    expect(ran.err).toContain('nothing changed');
  });

  it('hands standard input on, byte for byte, and says nothing with --quiet', async () => {
    const input = `${'x'.repeat(200_000)}\0\x80é`;
    const ran = await glovebox(['run', '--quiet', '--', 'sha256sum'], input);
    const { createHash } = await import('node:crypto');
    const expected = createHash('sha256').update(Buffer.from(input)).digest('hex');
    expect(ran).toEqual({ status: 0, out: `${expected}  -\n`, err: '' });
  });

  it('ends with 127 where the command is not there, and says so on standard error only', async () => {
    const ran = await glovebox(['run', '--quiet', '--', 'no-such-command-here']);
    expect(ran).toMatchObject({ status: 127, out: '' });
    expect(ran.err).toContain('no-such-command-here');
  });

  it('keeps the project as it is until its changes are accepted', async () => {
    const script = 'cat .env; echo two >> a.txt; echo new > b.txt';
    const file = join(folder, 'timeline.jsonl');
    const ran = await glovebox(['run', '--timeline', file, '--', 'sh', '-c', script]);
    expect(ran.out).toBe('');
    expect(ran.err).toContain('2 files changed');
    const id = sessionIn(ran.err.slice(ran.err.lastIndexOf('Session ')));
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\n');

    const review = await glovebox(['session', 'review', id]);
    expect(review.out).toBe('M\ta.txt\t+1 -0\nA\tb.txt\t+1 -0\n');
    const listed = await glovebox(['session', 'review', id, '--json']);
    expect(ChangeSet.parse(JSON.parse(listed.out)).changes).toHaveLength(2);

    const events = readFileSync(file, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => TimelineEvent.parse(JSON.parse(line)));
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const printed = await glovebox(['timeline', id]);
    expect(printed.out).toBe(readFileSync(file, 'utf8'));
    const har = await glovebox(['timeline', id, '--format', 'har']);
    expect(JSON.parse(har.out)).toMatchObject({ log: { version: '1.2', entries: [] } });
    const verified = await glovebox(['timeline', 'verify', id]);
    expect(verified).toMatchObject({ status: 0, out: `intact: ${events.length} events\n` });

    expect(await glovebox(['session', 'accept', id])).toMatchObject({ status: 0, out: '' });
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe('one\ntwo\n');
    expect((await glovebox(['session', 'accept', id])).err).toContain('[review.nothing]');
  });

  it('throws changes away when asked to', async () => {
    const ran = await glovebox(['run', '--', 'sh', '-c', 'echo bad > a.txt']);
    const id = sessionIn(ran.err.slice(ran.err.lastIndexOf('Session ')));
    const before = readFileSync(join(project, 'a.txt'), 'utf8');
    expect((await glovebox(['session', 'discard', id])).status).toBe(0);
    expect(readFileSync(join(project, 'a.txt'), 'utf8')).toBe(before);
    expect((await glovebox(['session', 'review', id])).out).toBe('');
  });

  it('ends cleanly on SIGTERM, from its own terminal or by another process', async () => {
    const run = ['run', '--', 'sh', '-c', 'echo on; sleep 300'];
    const first = begin(process.execPath, [launcher, ...run]);
    let seen = '';
    first.stdout.on('data', (part: Buffer) => (seen += part.toString('utf8')));
    const firstOutcome = outcomeOf(first, '');
    await until(() => seen.includes('on\n'));
    first.kill('SIGTERM');
    expect(await firstOutcome).toMatchObject({ status: 143, out: 'on\n' });

    const second = outcomeOf(begin(process.execPath, [launcher, ...run]), '');
    const running = async (): Promise<readonly SessionSummary[]> => {
      const { out } = await glovebox(['session', 'list', '--json']);
      return z
        .array(SessionSummary)
        .parse(JSON.parse(out))
        .filter(({ state }) => state === 'running');
    };
    await until(async () => (await running()).length > 0);
    const [session] = await running();
    expect(session?.owned).toBe(false);
    const attach = await glovebox(['session', 'attach', session?.id ?? '']);
    expect(attach).toMatchObject({ status: 126 });
    expect((await glovebox(['session', 'stop', session?.id ?? ''])).status).toBe(0);
    await second;
    expect(await running()).toEqual([]);
  });

  it('gives a terminal its size, its keys and its screen back, and keeps the clipboard out', async () => {
    const inside = `stty -echo; printf 'ask\\033]52;c;eHg=\\007> '; read -r word; echo "got $word"; test -t 1 && exit 6`;
    const command = [process.execPath, launcher, 'run', '--', 'sh', '-c', inside]
      .map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
      .join(' ');
    // script(1) gives it a terminal; its own input stands for the keyboard.
    const child = begin('script', ['-qec', command, '/dev/null']);
    let shown = '';
    child.stdout.on('data', (part: Buffer) => {
      const had = shown.includes('ask> ');
      shown += part.toString('utf8');
      if (!had && shown.includes('ask> ')) child.stdin.write('word\r');
    });
    const status = await new Promise((resolve) => child.on('close', resolve));
    expect(shown).toContain('ask> ');
    expect(shown).toContain('got word');
    expect(shown).not.toContain('\x1b]52');
    expect(shown).toContain('\x1b[?2004l');
    expect(status).toBe(6);
  });
});

describe('asking from the command line', () => {
  it('asks nobody without a terminal', async () => {
    const command = ['curl', '-sS', 'http://asked.example/'];
    const ran = await glovebox(['run', '--default', 'ask', '--', ...command]);
    expect(ran.out).toContain('ask.nobody');
  });

  it('rings the terminal’s bell, and takes the answer from another shell', async () => {
    const reached: string[] = [];
    const server = createServer((request, response) => {
      reached.push(request.url ?? '');
      response.end('the real thing');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const inside =
      'curl -sS http://asked.example/once; echo; curl -sS http://asked.example/again; exit 4';
    const flags = ['--default', 'ask', '--resolve', `asked.example:80:127.0.0.1:${String(port)}`];
    const command = [process.execPath, launcher, 'run', ...flags, '--', 'sh', '-c', inside]
      .map((word) => `'${word}'`)
      .join(' ');
    const child = begin('script', ['-qec', command, '/dev/null']);
    let shown = '';
    child.stdout.on('data', (part: Buffer) => {
      shown += part.toString('utf8');
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    type Listed = readonly { readonly id: string; readonly state: string }[];
    let id = '';
    const question = async (): Promise<string> => {
      let found = '';
      await until(async () => {
        const all = JSON.parse((await glovebox(['session', 'list', '--json'])).out) as Listed;
        id = all.find(({ state }) => state === 'running')?.id ?? '';
        if (id === '') return false;
        found = (await glovebox(['session', 'answer', id])).out;
        return found !== '';
      });
      return found;
    };
    const first = await question();
    expect(first).toMatch(/^\S+\tMay this session reach asked\.example\?\tGET \/once\t\tcurl /);
    expect(reached).toEqual([]);
    const [which = ''] = first.split('\t');
    expect((await glovebox(['session', 'answer', id, which, 'perhaps'])).status).toBe(126);
    const allowed = await glovebox(['session', 'answer', id, which, 'allow']);
    expect(allowed).toMatchObject({ status: 0, err: expect.stringContaining('Allowed') });
    const [second = ''] = (await question()).split('\t');
    expect(second).not.toBe(which);
    const gone = await glovebox(['session', 'answer', id, which, 'allow']);
    expect(gone.err).toContain('[ask.gone]');
    expect((await glovebox(['session', 'answer', id, second, 'deny'])).status).toBe(0);
    expect(await ended).toBe(4);
    expect(shown).toContain('the real thing');
    expect(shown).toContain('ask.denied');
    expect(shown).toContain('\u0007');
    expect(reached).toEqual(['/once']);
    server.close();
  });
});

describe('what goes wrong', () => {
  it('ends with 127 where something is missing and says what to do', async () => {
    const missing = await glovebox(['run', '--project', join(project, 'nowhere'), '--', 'true']);
    expect(missing).toMatchObject({ status: 127, out: '' });
    expect(missing.err).toContain('[project.not-a-folder]');
    const stranger = await glovebox(['run', '--grant', 'nobody', '--', 'true']);
    expect(stranger.status).toBe(127);
    expect(stranger.err).toContain('[grant.unknown]');
    expect((await glovebox(['session', 'stop', '000000000000'])).status).toBe(127);
  });

  it('ends with 125 on flags it does not know, 126 on policy', async () => {
    expect((await glovebox(['run', '--bogus'])).status).toBe(125);
    expect((await glovebox(['run', '--image', 'x', '--', 'true'])).status).toBe(126);
    writeFileSync(join(folder, 'broken.yml'), 'version: 1\nallow: [a b]\n');
    const broken = await glovebox(['run', '--policy', join(folder, 'broken.yml'), '--', 'true']);
    expect(broken.status).toBe(126);
    expect(broken.err).toMatch(/broken\.yml:2:9: /);
  });
});

describe('credentials on the command line', () => {
  const SECRET = 'sk-ant-api03-0123456789abcdefghijklmnopqrstuvwxyz';

  it('go in through standard input and never come out', async () => {
    const added = await glovebox(
      ['credential', 'add', 'work', '--kind', 'anthropic', '--stdin'],
      `${SECRET}\n`,
    );
    expect(added).toMatchObject({ status: 0, out: '' });
    const again = await glovebox(
      ['credential', 'add', 'work', '--kind', 'anthropic', '--stdin'],
      SECRET,
    );
    expect(again.err).toContain('[credential.exists]');
    const listed = await glovebox(['credential', 'list', '--json']);
    expect(JSON.parse(listed.out)).toMatchObject([{ name: 'work', kind: 'anthropic' }]);
    const inside = await glovebox([
      'run',
      '--grant',
      'work',
      '--',
      'sh',
      '-c',
      'echo "$ANTHROPIC_API_KEY"',
    ]);
    expect(inside.status).toBe(0);
    expect(inside.out).toMatch(/^sk-ant-/);
    for (const { out, err } of [added, again, listed, inside])
      expect(out + err).not.toContain(SECRET);
    expect((await glovebox(['credential', 'rotate', 'work', '--stdin'], `${SECRET}2`)).status).toBe(
      0,
    );
    expect((await glovebox(['credential', 'remove', 'work'])).status).toBe(0);
    expect((await glovebox(['credential', 'remove', 'work'])).status).toBe(127);
  });
});

const enter = async (link: string | undefined): Promise<number> =>
  (await fetch(link ?? '', { redirect: 'manual' })).status;

describe('glovebox serve', () => {
  beforeAll(async () => {
    unwrap(await ensureRenderer());
  });

  it('is one per home, gives fresh links when asked, and ends when told', async () => {
    const first = begin(process.execPath, [launcher, 'serve']);
    const links: string[] = [];
    first.stdout.on('data', (part: Buffer) =>
      links.push(...part.toString('utf8').trim().split('\n')),
    );
    const outcome = outcomeOf(first, '');
    await until(() => links.length === 1);
    expect(links[0]).toMatch(/^http:\/\/127\.0\.0\.1:[0-9]+\/enter\/[A-Za-z0-9_-]{43}$/);

    const second = await glovebox(['serve']);
    expect(second).toMatchObject({ status: 125, out: '' });
    expect(second.err).toContain('[host.already-running]');
    expect(second.err).toContain(new URL('/', links[0]).href);
    expect(second.err).not.toContain('/enter/');

    first.kill('SIGUSR2');
    await until(() => links.length === 2);
    expect(await enter(links[0])).toBe(403);
    expect(await enter(links[1])).toBe(303);
    first.kill('SIGTERM');
    expect((await outcome).status).toBe(0);
  });
});

describe('glovebox doctor', () => {
  it('names what works, one line each', async () => {
    const report = await glovebox(['doctor']);
    expect(report.status).toBe(0);
    for (const what of ['node', 'home', 'disk', 'engine', 'images', 'keychain', 'certificates']) {
      expect(report.out).toMatch(new RegExp(`^(ok  |weak)  ${what} `, 'm'));
    }
  });
});
