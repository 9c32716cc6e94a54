import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createManualClock, createScope, Secret, unwrap } from '../kit/index.ts';
import { thisOwner } from '../session/index.ts';
import { homePath, openHome } from './home.ts';
import { lockHome } from './lock.ts';
import { MAX_LOG_BYTES, openLog } from './log.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gbx-home-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = () => readFileSync(join(folder, 'log', 'glovebox.log'), 'utf8');
const open = (path: string) => openHome({ GLOVEBOX_HOME: path });

describe('the home folder', () => {
  it('is where GLOVEBOX_HOME says, else where the platform keeps data', () => {
    expect(homePath({ GLOVEBOX_HOME: '/a', HOME: '/h' }, 'linux')).toBe('/a');
    expect(homePath({ XDG_DATA_HOME: '/d', HOME: '/h' }, 'linux')).toBe('/d/glovebox');
    expect(homePath({ XDG_DATA_HOME: 'relative', HOME: '/h' }, 'linux')).toBe(
      '/h/.local/share/glovebox',
    );
    expect(homePath({ HOME: '/h' }, 'darwin')).toBe('/h/Library/Application Support/Glovebox');
  });

  it('is made for us alone and keeps its name', () => {
    const path = join(folder, 'deep', 'home');
    const first = unwrap(open(path));
    expect(statSync(path).mode & 0o777).toBe(0o700);
    expect(first.installId).toMatch(/^[0-9a-z]{16}$/);
    expect(unwrap(open(path)).installId).toBe(first.installId);
  });

  it('is closed again where it is ours, and left alone where it is not', () => {
    const ours = join(folder, 'ours');
    unwrap(open(ours));
    chmodSync(ours, 0o755);
    unwrap(open(ours));
    expect(statSync(ours).mode & 0o777).toBe(0o700);
    const theirs = join(folder, 'theirs');
    mkdirSync(theirs, { mode: 0o755 });
    writeFileSync(join(theirs, 'a'), '');
    expect(open(theirs)).toMatchObject({ ok: false, error: { code: 'host.home' } });
    expect(statSync(theirs).mode & 0o777).toBe(0o755);
  });

  it('is refused where others may write, as a link, as a file, as a relative path', () => {
    const wide = join(folder, 'wide');
    mkdirSync(wide);
    chmodSync(wide, 0o777);
    const link = join(folder, 'link');
    symlinkSync(folder, link);
    const file = join(folder, 'file');
    writeFileSync(file, '');
    for (const path of [wide, link, file, 'relative', join(file, 'below')]) {
      expect(open(path)).toMatchObject({ ok: false, error: { code: 'host.home' } });
    }
  });
});

describe('the lock', () => {
  it('lets one app run and says where it is', async () => {
    const scope = createScope('first');
    unwrap(lockHome(folder, scope)).setUrl('http://127.0.0.1:4242');
    const second = lockHome(folder, createScope('second'));
    expect(second).toMatchObject({ ok: false, error: { code: 'host.already-running' } });
    expect(JSON.stringify(second)).toContain('http://127.0.0.1:4242');
    expect(JSON.stringify(second)).toContain(String(process.pid));
    await scope.close();
    const third = createScope('third');
    unwrap(lockHome(folder, third));
    await third.close();
    expect(existsSync(join(folder, 'host.lock'))).toBe(false);
  });

  it('is taken over from the dead, and from what is no lock', async () => {
    const path = join(folder, 'host.lock');
    for (const left of [
      JSON.stringify({ owner: { ...thisOwner(), startTime: '1' } }),
      JSON.stringify({ owner: { ...thisOwner(), bootId: 'another' } }),
      'junk',
      '',
    ]) {
      writeFileSync(path, left);
      const scope = createScope('app');
      expect(lockHome(folder, scope)).toMatchObject({ ok: true });
      await scope.close();
    }
  });
});

describe('the log', () => {
  it('is one JSON object a line, for us alone, and shows no secret', () => {
    const log = openLog(folder, createManualClock(0));
    log('warn', 'something', { secret: new Secret('hunter22'), why: new Error('broke') });
    log('info', 'circular', {
      get self() {
        return this;
      },
    });
    const lines = read()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(lines[0]).toMatchObject({
      at: '1970-01-01T00:00:00.000000Z',
      level: 'warn',
      message: 'something',
      secret: '[REDACTED]',
      why: { message: 'broke' },
    });
    expect(lines[1]).toMatchObject({ message: 'circular' });
    expect(statSync(join(folder, 'log', 'glovebox.log')).mode & 0o777).toBe(0o600);
  });

  it('stays within two files of its size', () => {
    const log = openLog(folder, createManualClock(0));
    const text = 'x'.repeat(8000);
    for (let line = 0; line < 2.5 * (MAX_LOG_BYTES / 8000); line += 1) log('info', text);
    expect(statSync(join(folder, 'log', 'glovebox.log')).size).toBeLessThanOrEqual(MAX_LOG_BYTES);
    expect(statSync(join(folder, 'log', 'glovebox.log.1')).size).toBeLessThanOrEqual(MAX_LOG_BYTES);
  });
});
