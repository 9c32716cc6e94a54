import {
  parseAbsoluteTarget,
  parseConnectTarget,
} from '../../app/broker/process/wires/connect-target.ts';
import { MAX_HOST_CHARS } from '../../app/contract/index.ts';
import {
  canonicalPath,
  formatHostRule,
  isAddress,
  judgeAddress,
  matchesHostRule,
  matchesPathPattern,
  parseGitRule,
  parseHost,
  parseHostRule,
  parsePathPattern,
  parsePolicyFile,
} from '../../app/policy/index.ts';
import type { Random } from '../random.ts';
import { must, mustEqual, parserTarget, type Target } from '../target.ts';
import { hostText, textOf } from './streams.ts';
import { mustBeCanonical } from './wires.ts';

/** What the platform takes a URL to mean; undefined where it takes it for none. */
const urlOf = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined);

/** The platform's host without its brackets and last dot. */
const bareHost = ({ hostname }: URL): string => hostname.replaceAll(/^\[|\]$|\.$/g, '');

const HOST_SEEDS = [
  'example.com',
  '[::1]',
  '::1',
  '0x7f000001',
  '0177.0.0.1',
  '1.2.3',
  'EXAMPLE.com.',
  'a..b',
  '[::ffff:1.2.3.4]',
  '\u00fc.example',
  'a%00b',
  'a\\b',
  'localhost.',
  '127.1',
  'xn--a',
  '1.1.1.1.',
  '*.example.com:443',
  'example.com:0',
  '*',
  '*.com',
];

const host = parserTarget({
  name: 'host',
  seeds: HOST_SEEDS,
  generate: (random) =>
    Buffer.from(
      random.oneIn(3)
        ? Array.from({ length: 4 }, () => hostText(random)).join('.')
        : hostText(random),
    ),
  check: (bytes) => {
    for (const text of [textOf(bytes), bytes.toString('utf8')]) {
      const parsed = parseHost(text);
      if (!parsed.ok) continue;
      mustBeCanonical(parsed.value);
      must(parsed.value.length <= MAX_HOST_CHARS && parsed.value !== '', 'a host of no fit length');
      must(/^[a-z0-9._:-]+$/.test(parsed.value), 'a host with characters that none has');
      const bracketed = parsed.value.includes(':') ? `[${parsed.value}]` : parsed.value;
      const url = urlOf(`https://${bracketed}/`);
      must(url !== undefined && bareHost(url) === parsed.value, 'another host to the platform');
      if (isAddress(parsed.value)) judgeAddress(parsed.value);
      // As the program wrote it: whoever reads it as a URL comes to the same host.
      const asked = urlOf(
        `https://${text.includes(':') && !text.startsWith('[') ? `[${text}]` : text}/`,
      );
      if (asked !== undefined) mustEqual(bareHost(asked), parsed.value, 'two readings of one host');
    }
  },
});

const proxyTarget = parserTarget({
  name: 'proxy-target',
  seeds: [
    'api.example.com:443',
    '[::1]:443',
    'http://api.example.com/path',
    'http://a@b/',
    'https://a/',
    'http://a\\@b/',
    'http:///a',
    'HTTP://A:80',
    'http://a:b@c/',
    'a:99999',
    'http://a#b',
    'http://a?b',
  ],
  generate: (random) => {
    const at = `${hostText(random)}${random.pick(['', ':443', ':0', ':65536', ':080', ':'])}`;
    const scheme = random.pick([
      '',
      'http://',
      'https://',
      'http:/',
      'HTTP://',
      'ws://',
      'http:\\\\',
    ]);
    return Buffer.from(
      `${scheme}${random.pick(['', 'u@', 'u:p@'])}${at}${random.pick(['', '/', '/a?b', '#c', '\\d'])}`,
      'latin1',
    );
  },
  check: (bytes) => {
    const text = textOf(bytes);
    const connect = parseConnectTarget(text);
    const absolute = parseAbsoluteTarget(text);
    for (const [read, url] of [
      [connect, urlOf(`http://${text}`)],
      [absolute, urlOf(text)],
    ] as const) {
      if (!read.ok) continue;
      const { host: found, port } = read.value;
      mustBeCanonical(found);
      must(port >= 1 && port <= 65_535, 'a port that is none');
      if (url === undefined) continue;
      mustEqual(bareHost(url), found, 'two readings of one target');
      mustEqual(url.port === '' ? 80 : Number(url.port), port, 'two readings of one port');
      must(url.username === '' && url.password === '', 'a target with a user in it');
    }
  },
});

const SEGMENTS = [
  'a',
  '',
  '.',
  '..',
  '%2e',
  '%2e%2e',
  '..;x',
  '%252e',
  '%2f',
  '%5c',
  '%00',
  '@s%2fn',
  'a;b',
  '%c0%ae',
  '%',
  '%zz',
  '*',
  '**',
  'A',
  '%41',
  '%u002e',
  '\\',
  '%ef%bc%8e',
  ' ',
  '+',
] as const;

const path = (random: Random): string =>
  `/${Array.from({ length: 1 + random.below(5) }, () => random.pick(SEGMENTS)).join('/')}`;

/** Ways in which servers read a path: how often they decode, what they cut off. */
const READINGS: readonly ((text: string) => string)[] = [
  (text) => text,
  (text) =>
    text.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    ),
  (text) => text.replaceAll(/%2f/gi, '/'),
  (text) => text.replaceAll(/;[^/]*/g, ''),
  (text) => text.replaceAll('\\', '/'),
];

/** Every text that some server may take a path for, a few steps deep. */
const readingsOf = (text: string): ReadonlySet<string> => {
  const all = new Set([text]);
  for (let round = 0; round < 4; round += 1) {
    for (const known of Array.from(all)) for (const read of READINGS) all.add(read(known));
  }
  return all;
};

const pathTarget = parserTarget({
  name: 'path',
  seeds: [
    '/',
    '/a/b?c=d',
    '/a/../b',
    '/%2e%2e/b',
    '/a%2fb',
    '/..;/a',
    '/a#b',
    '//a',
    '*',
    '/%c0%ae',
    '/a?../',
  ],
  maxBytes: 400,
  generate: (random) =>
    Buffer.from(`${path(random)}${random.pick(['', '?a=..', '?', '#f'])}`, 'latin1'),
  check: (bytes) => {
    const text = textOf(bytes);
    const read = canonicalPath(text);
    if (!read.ok) return;
    mustEqual(`${read.value.path}${read.value.query}`, text, 'a path that is changed in passing');
    for (const reading of readingsOf(read.value.path)) {
      must(
        !reading.split('/').some((part) => part === '.' || part === '..'),
        `it may step out: ${reading}`,
      );
      // oxlint-disable-next-line no-control-regex -- control characters are what may not be there
      must(!/[\u0000-\u001f\u007f]/.test(reading), 'it may hide a control character');
    }
    const url = urlOf(`http://h${text}`);
    must(url !== undefined && url.hostname === 'h', 'a path that names another host');
    mustEqual(
      url.pathname.split('/').length,
      read.value.path.split('/').length,
      'the platform reads other segments',
    );
    mustEqual(url.hash, '', 'a path with a fragment');
  },
});

/** The pattern as a regular expression, written apart from the matcher. */
const slowPattern = (pattern: string, text: string): boolean => {
  const decode = (part: string): string =>
    part.replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
  const fits = (parts: readonly string[], segments: readonly string[]): boolean => {
    const [part, ...more] = parts;
    const [segment, ...rest] = segments;
    if (part === undefined) return segment === undefined;
    if (part === '**') {
      return (
        fits(more, segments) ||
        (segment !== undefined && !segment.includes('/') && fits(parts, rest))
      );
    }
    if (segment === undefined) return false;
    const same = part === '*' ? segment !== '' && !segment.includes('/') : decode(part) === segment;
    return same && fits(more, rest);
  };
  if (text.includes('//')) return false;
  return fits(pattern.slice(1).split('/'), text.slice(1).split('/').map(decode));
};

const pattern = parserTarget({
  name: 'path-pattern',
  seeds: [
    '/v1/*\n/v1/a',
    '/**\n/a/b',
    '/a/**/b\n/a/b',
    '/%2a\n/*',
    '/a%2fb/**\n/a%2Fb/c',
    '/a/\n/a/',
  ],
  maxBytes: 200,
  generate: (random) => Buffer.from(`${path(random)}\n${path(random)}`, 'latin1'),
  check: (bytes) => {
    const [text = '', target = ''] = textOf(bytes).split('\n');
    const read = parsePathPattern(text);
    const asked = canonicalPath(target);
    if (!read.ok || !asked.ok) return;
    const { path: found } = asked.value;
    mustEqual(
      matchesPathPattern(read.value, found),
      slowPattern(text, found),
      'the pattern means something else',
    );
  },
});

const rule = parserTarget({
  name: 'host-rule',
  seeds: HOST_SEEDS,
  generate: (random) =>
    Buffer.from(
      `${random.pick(['', '*.', '*', '**.'])}${hostText(random)}${random.pick(['', ':1', ':65535', ':0', ':'])}\n${hostText(random)}`,
    ),
  check: (bytes) => {
    const [text = '', name = ''] = bytes.toString('utf8').split('\n');
    const read = parseHostRule(text);
    if (!read.ok) return;
    mustBeCanonical(read.value.host);
    mustEqual(parseHostRule(formatHostRule(read.value)), read, 'a rule that reads otherwise again');
    const named = parseHost(name);
    if (!named.ok) return;
    const { host: of, port, type } = read.value;
    for (const asked of [80, 443, 8443, port ?? 22]) {
      const inside =
        named.value.length > of.length && named.value.slice(-of.length - 1) === `.${of}`;
      const fits = type === 'exact' ? named.value === of : inside;
      const open = port === undefined ? asked === 80 || asked === 443 : asked === port;
      mustEqual(matchesHostRule(read.value, named.value, asked), fits && open, 'another host fits');
    }
  },
});

const POLICY = `version: 1
default: deny
allow: [api.example.com, "*.example.org:8443"]
deny:
  - bad.example.org
git:
  - allow push github.com/owner/repo branch main
grants: [key@api.example.com]
limits: { memory: 2G, ttl: 30m }
hide: { add: [a/b] }
`;

const policyFile = parserTarget({
  name: 'policy-file',
  caseMs: 3000,
  seeds: [
    POLICY,
    '{"version":1}',
    'version: 1\nallow: &a [a.example]\ndeny: *a\n',
    `a: &a [x]\n${'b: &b [*a,*a,*a]\n'.repeat(20)}`,
    '['.repeat(3000),
    'version: 1\nversion: 1\n',
    '!!js/function x',
    '? ? ? ? a',
  ],
  generate: (random) =>
    Buffer.from(
      `version: 1\n${Array.from({ length: 1 + random.below(4) }, () => `${random.pick(['allow', 'deny', 'pass-through', 'git', 'grants', 'resolve', 'presets', '__proto__', 'hide', 'limits'])}: ${random.pick(['[', '{', '- ', '"', '&a ', '|\n  '])}${hostText(random)}${random.pick([']', '}', '', '"'])}\n`).join('')}`,
    ),
  check: (bytes) => {
    const read = parsePolicyFile(bytes.toString('utf8'), 'policy.yaml');
    if (!read.ok) {
      must(/^policy\.yaml:[0-9]+:[0-9]+: /.test(read.error.message), 'a fault without its place');
      return;
    }
    for (const text of [...read.value.allow, ...read.value.deny, ...read.value.passThrough]) {
      must(parseHostRule(text).ok, 'a rule that is none');
    }
    for (const text of read.value.git) {
      const git = parseGitRule(text);
      must(git.ok, 'a git rule that is none');
      const again = parseGitRule(git.value.words);
      must(
        again.ok && again.value.words === git.value.words,
        'a git rule that reads otherwise again',
      );
    }
  },
});

export const POLICY_TARGETS: readonly Target[] = [
  host,
  proxyTarget,
  pathTarget,
  pattern,
  rule,
  policyFile,
];
