import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { aptFiles, hostAptSources, mirrorOf, parseDeb822, parseOneLine } from './apt-sources.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'gb-apt-'));
  await mkdir(join(root, 'etc/apt/sources.list.d'), { recursive: true });
});
afterEach(async () => {
  await rm(root, { recursive: true, force: true });
});

const write = (path: string, text: string): Promise<void> => writeFile(join(root, path), text);
const debian = 'PRETTY_NAME="Debian"\nVERSION_CODENAME=trixie\nID=debian\n';

describe('apt sources', () => {
  it('are read in both forms, for this release’s main archive alone', () => {
    const stanza =
      '# comment\nTypes: deb deb-src\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates trixie-backports\nComponents: main contrib\n';
    expect(parseDeb822(stanza, 'trixie')).toEqual([
      { uri: 'http://mirror.example/debian', suites: ['trixie', 'trixie-updates'] },
    ]);
    for (const other of ['Enabled: no\n', '']) {
      expect(parseDeb822(`${stanza}${other}`, 'trixie')).toHaveLength(other === '' ? 1 : 0);
    }
    expect(
      parseDeb822(
        'Types: deb\nURIs: https://other.example\nSuites: nodistro\nComponents: main\n',
        'trixie',
      ),
    ).toEqual([]);
    const lines =
      'deb [signed-by=/x arch=amd64] https://m.example/debian trixie main contrib\n#deb http://a trixie main\ndeb-src http://a trixie main\ndeb http://b sid main\n';
    expect(parseOneLine(lines, 'trixie')).toEqual([
      { uri: 'https://m.example/debian', suites: ['trixie'] },
    ]);
  });

  it('of this machine are found when it is Debian', async () => {
    await write('etc/os-release', debian);
    await write('etc/apt/sources.list', 'deb http://near.example/debian trixie main\n');
    await write('etc/apt/sources.list.d/tool.list', 'deb https://tool.example stable main\n');
    const sources = await hostAptSources({ PATH: process.env['PATH'] }, root);
    expect(sources).toMatchObject({
      suite: 'trixie',
      entries: [{ uri: 'http://near.example/debian' }],
    });
    expect(sources && mirrorOf(sources)).toBe('http://near.example/debian');
  });

  it('are not taken from another distribution, or where the release itself is missing', async () => {
    await write('etc/os-release', 'ID=ubuntu\nVERSION_CODENAME=noble\n');
    expect(await hostAptSources({}, root)).toBeUndefined();
    await write('etc/os-release', debian);
    await write(
      'etc/apt/sources.list',
      'deb cdrom:[x]/ trixie main\ndeb http://s.example trixie-security main\n',
    );
    expect(await hostAptSources({}, root)).toBeUndefined();
  });

  it('never bring a password into an image', async () => {
    await write('etc/os-release', debian);
    await write(
      'etc/apt/sources.list',
      'deb https://me:hidden@m.example/debian trixie main\ndeb http://plain.example/debian trixie main\n',
    );
    // apt-config's stand-in: a program of that name, first on the path.
    const dump = 'Acquire::http::Proxy "http://me:hidden@proxy.example:3128/";';
    await writeFile(
      join(root, 'apt-config'),
      `#!/bin/sh\necho '${dump}'\necho 'Acquire::https::Proxy "http://open.example:3128/";'\n`,
      { mode: 0o755 },
    );
    const sources = await hostAptSources({ PATH: `${root}:/usr/bin:/bin` }, root);
    expect(sources).toEqual({
      suite: 'trixie',
      entries: [{ uri: 'http://plain.example/debian', suites: ['trixie'] }],
      settings: ['Acquire::https::Proxy "http://open.example:3128/";'],
    });
  });

  it('over HTTPS bring the trust that a bare distribution lacks', () => {
    const entry = { uri: 'http://m.example/debian', suites: ['trixie'] };
    const plain = aptFiles({ suite: 'trixie', entries: [entry], settings: [] }, 'BUNDLE');
    expect(Array.from(plain.keys())).toEqual(['sources.list', 'sources.list.d/debian.sources']);
    const secure = aptFiles(
      {
        suite: 'trixie',
        entries: [{ ...entry, uri: 'https://m.example/debian' }],
        settings: ['Acquire::http::Proxy "x";'],
      },
      'BUNDLE',
    );
    expect(secure.get('glovebox-trust.pem')).toBe('BUNDLE');
    expect(secure.get('apt.conf.d/90glovebox')).toBe(
      'Acquire::http::Proxy "x";\nAcquire::https::CaInfo "/etc/apt/glovebox-trust.pem";\n',
    );
    expect(secure.get('sources.list.d/debian.sources')).toContain(
      'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg',
    );
  });
});
