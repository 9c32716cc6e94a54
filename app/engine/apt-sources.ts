import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runHostCommand } from './host-command.ts';

/** Where this machine, when it is Debian, gets Debian's packages from. */
export type AptSources = {
  /** The release's code name: `bookworm`. */
  readonly suite: string;
  readonly entries: readonly AptEntry[];
  /** apt settings that decide how the mirror is reached: proxies, and how dates are judged. */
  readonly settings: readonly string[];
};
export type AptEntry = { readonly uri: string; readonly suites: readonly string[] };

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const CARRIED =
  /^Acquire::(http|https)::Proxy |^Acquire::(Check-Valid-Until|Check-Date|ForceIPv4) /;

/** The sandbox can read its own /etc/apt: an address with a password in it stays on this machine (P1). */
const hasPassword = (text: string): boolean => /:\/\/[^/\s"]*@/.test(text);

const ofRelease = (suite: string, codename: string): boolean =>
  suite === codename || suite === `${codename}-updates` || suite === `${codename}-security`;

/** Reads deb822 text (sources.list(5)): stanzas with URIs, Suites and Components. */
export const parseDeb822 = (text: string, codename: string): AptEntry[] =>
  text.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = new Map(
      stanza
        .split('\n')
        .filter((line) => !line.startsWith('#'))
        .map((line) => /^([A-Za-z-]+):\s*(.*)$/.exec(line))
        .filter((match) => match !== null)
        .map((match) => [(match[1] ?? '').toLowerCase(), (match[2] ?? '').trim()]),
    );
    const list = (name: string): string[] => (fields.get(name) ?? '').split(/\s+/).filter(Boolean);
    if (fields.get('enabled') === 'no' || !list('types').includes('deb')) return [];
    const suites = list('suites').filter((suite) => ofRelease(suite, codename));
    if (suites.length === 0 || !list('components').includes('main')) return [];
    return list('uris').map((uri) => ({ uri, suites }));
  });

/** Reads one-line sources (sources.list(5)). */
export const parseOneLine = (text: string, codename: string): AptEntry[] =>
  text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$/.exec(line.trim());
    const [, uri = '', suite = '', components = ''] = match ?? [];
    if (!ofRelease(suite, codename) || !components.split(/\s+/).includes('main')) return [];
    return [{ uri, suites: [suite] }];
  });

const readOr = async (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');

/** This machine's Debian sources, or undefined where it is no Debian or has none. */
export const hostAptSources = async (
  env: Readonly<Record<string, string | undefined>>,
  root = '/',
): Promise<AptSources | undefined> => {
  const release = await readOr(join(root, 'etc/os-release'));
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(release)?.[1];
  const suite = field('VERSION_CODENAME');
  if (field('ID') !== 'debian' || suite === undefined || suite === '') return undefined;
  const parts = join(root, 'etc/apt/sources.list.d');
  const names = (await readdir(parts).catch((): string[] => [])).toSorted();
  const found = [...parseOneLine(await readOr(join(root, 'etc/apt/sources.list')), suite)];
  for (const name of names) {
    const text = await readOr(join(parts, name));
    if (name.endsWith('.sources')) found.push(...parseDeb822(text, suite));
    if (name.endsWith('.list')) found.push(...parseOneLine(text, suite));
  }
  const entries = found.filter(({ uri }) => /^https?:\/\//.test(uri) && !hasPassword(uri));
  if (!entries.some((entry) => entry.suites.includes(suite))) return undefined;
  const dump = await runHostCommand('apt-config', ['dump'], { env });
  const settings = dump.ok
    ? dump.value.split('\n').filter((line) => CARRIED.test(line) && !hasPassword(line))
    : [];
  return { suite, entries, settings };
};

/** The mirror that holds the release itself, for bootstrapping. */
export const mirrorOf = (sources: AptSources): string =>
  sources.entries.find((entry) => entry.suites.includes(sources.suite))?.uri ?? '';

/** The files of /etc/apt that make an image use the same mirrors, with the paths below /etc/apt. */
export const aptFiles = (sources: AptSources, trust: string): ReadonlyMap<string, string> => {
  const files = new Map<string, string>([
    ['sources.list', '# see sources.list.d\n'],
    [
      'sources.list.d/debian.sources',
      sources.entries
        .map(
          ({ uri, suites }) =>
            `Types: deb\nURIs: ${uri}\nSuites: ${suites.join(' ')}\nComponents: main\nSigned-By: ${KEYRING}\n`,
        )
        .join('\n'),
    ],
  ]);
  const settings = [...sources.settings];
  if (sources.entries.some(({ uri }) => uri.startsWith('https:'))) {
    // The bare distribution has no certificates yet when it fetches its first package.
    files.set('glovebox-trust.pem', trust);
    settings.push('Acquire::https::CaInfo "/etc/apt/glovebox-trust.pem";');
  }
  if (settings.length > 0) files.set('apt.conf.d/90glovebox', `${settings.join('\n')}\n`);
  return files;
};
