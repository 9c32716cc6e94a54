import type { EgressDraft, Program, TimelineDraft } from '../../app/contract/index.ts';
import { isoTime } from '../../app/kit/index.ts';

const claude = ['claude'];
const program = (command: readonly string[], ...ancestors: readonly string[][]): Program => ({
  pid: 700,
  command: [...command],
  ancestors: [...ancestors, claude],
});

const LONG_HOST = `${'telemetry-collector-of-the-package-that-was-installed.'.repeat(3)}eu-central-1.example.net`;
const LONG_PATH = `/v1/projects/harbor/locations/europe-west3/${'collections/default_collection/'.repeat(8)}items?page_size=200&filter=${'state%3Dopen%20'.repeat(12)}`;
const LONG_COMMAND = [
  '/usr/local/lib/node_modules/some-tool/bin/run-everything.mjs',
  '--config',
  '/home/me/harbor-api/packages/service-with-a-long-name/configuration/production.json',
  '--reporter=verbose',
  '--fail-on-first-error',
];

/** How long ago the newest of them was, and what lies between two, in milliseconds. */
const NEWEST_MS = 14_000;
const STEP_MS = 7_000;

type Undated<T> = T extends { readonly at: string } ? Omit<T, 'at'> : never;

const egress = (over: Partial<Undated<EgressDraft>>): Undated<EgressDraft> => ({
  kind: 'egress',
  id: '',
  verdict: 'allowed',
  scheme: 'https',
  host: 'api.example.com',
  port: 443,
  protocol: 'h2',
  inspected: true,
  bytesOut: 0,
  bytesIn: 0,
  durationMs: 41,
  program: program(['node', 'server.js']),
  ...over,
});
const refused = (
  code: NonNullable<EgressDraft['code']>,
  detail: string,
  over: Partial<Undated<EgressDraft>>,
): Undated<EgressDraft> => egress({ verdict: 'denied', code, detail, ...over });
const failed = (
  code: NonNullable<EgressDraft['code']>,
  detail: string,
  over: Partial<Undated<EgressDraft>>,
): Undated<EgressDraft> => egress({ code, detail, ...over });

const push = { host: 'github.com', port: 443, credential: 'github-harbor' } as const;
const unread = { protocol: 'tls', scheme: 'tls', inspected: false } as const;
const raw = { protocol: 'tcp', scheme: 'tcp', inspected: false } as const;

const ROWS: readonly Undated<TimelineDraft>[] = [
  { kind: 'session', op: 'started' },
  {
    kind: 'policy',
    op: 'applied',
    rules: [
      'preset claude-code',
      '--allow smtp.example.com:2525',
      '--pass-through *.pinned.example.com',
      '--deny paste.example.net',
      'git: push acme/harbor-api refs/heads/agent/*',
      'default ask',
    ],
  },
  { kind: 'credential', op: 'granted', credential: 'harbor-artifacts', host: '*.amazonaws.com' },
  { kind: 'credential', op: 'granted', credential: 'harbor-db', host: 'db.harbor.example:5432' },
  { kind: 'session', op: 'guard-lost', code: 'guard.failed', message: 'The guard went away.' },
  { kind: 'gap', source: 'guard', lost: 0 },
  {
    kind: 'gap',
    source: 'broker',
    lost: 12_040,
    message: 'requests came faster than they could be recorded',
  },
  { kind: 'session', op: 'broker-lost', code: 'egress.broker-down' },
  { kind: 'session', op: 'broker-back' },
  egress({
    ...unread,
    host: 'updates.pinned.example.com',
    rule: '--pass-through *.pinned.example.com',
    address: '203.0.113.9',
    bytesOut: 5_210,
    bytesIn: 88_400,
    durationMs: 42_000,
    program: program(['curl', '-fsS', 'https://updates.pinned.example.com/feed'], ['bash']),
  }),
  refused('egress.encrypted-hello', 'The TLS handshake hides which host it is for.', {
    ...unread,
    host: 'cdn.pinned.example.com',
    rule: '--pass-through *.pinned.example.com',
  }),
  egress({
    ...raw,
    host: 'smtp.example.com',
    port: 2525,
    rule: '--allow smtp.example.com:2525',
    address: '203.0.113.25',
    bytesOut: 1_840,
    bytesIn: 960,
    durationMs: 1_320,
    program: program(['python3', 'send.py']),
  }),
  refused(
    'egress.raw-tcp',
    'Raw TCP to redis.example.com:6379 needs a rule that names exactly that host and port.',
    { ...raw, host: 'redis.example.com', port: 6379, rule: 'default ask' },
  ),
  refused('egress.udp', 'UDP is not passed on.', {
    scheme: 'udp',
    protocol: 'udp',
    inspected: false,
    host: '198.51.100.7',
    port: 443,
  }),
  egress({
    ...raw,
    host: 'db.harbor.example',
    port: 5432,
    rule: 'grant harbor-db',
    credential: 'harbor-db',
    bytesOut: 2_400,
    bytesIn: 61_000,
    durationMs: 8_300,
    program: program(['psql', '-c', 'select 1']),
  }),
  refused(
    'grant.wrong-password',
    'The program gave another password than the placeholder of harbor-db.',
    { ...raw, host: 'db.harbor.example', port: 5432, rule: 'grant harbor-db' },
  ),
  egress({
    host: 'harbor-artifacts.s3.eu-central-1.amazonaws.com',
    method: 'PUT',
    path: '/builds/2041/bundle.tar.gz?partNumber=3&uploadId=2~x',
    credential: 'harbor-artifacts',
    rule: 'grant harbor-artifacts',
    status: 200,
    bytesOut: 8_388_608,
    bytesIn: 0,
    durationMs: 3_140,
  }),
  refused(
    'aws.bad-signature',
    'The request is not signed with the key pair that the sandbox holds.',
    {
      host: 'sts.amazonaws.com',
      method: 'POST',
      path: '/',
      rule: 'grant harbor-artifacts',
    },
  ),
  failed('egress.upstream-unreachable', 'api.internal.example could not be reached: refused.', {
    host: 'api.internal.example',
    method: 'GET',
    path: '/health',
    rule: '--allow api.internal.example',
    address: '203.0.113.77',
  }),
  failed('egress.upstream-broke', 'files.example.com broke off its answer.', {
    host: 'files.example.com',
    method: 'GET',
    path: '/large.iso',
    rule: '--allow files.example.com',
    status: 200,
    bytesIn: 48_000_000,
    durationMs: 61_200,
  }),
  failed('scrub.cut', 'A secret turned up where it cannot be replaced; the connection was cut.', {
    ...raw,
    host: 'smtp.example.com',
    port: 2525,
    rule: '--allow smtp.example.com:2525',
    bytesIn: 320,
  }),
  egress({
    host: 'api.example.com',
    protocol: 'ws',
    method: 'GET',
    path: '/live',
    status: 101,
    bytesOut: 600,
    bytesIn: 120_400,
    durationMs: 912_000,
    rule: '--allow api.example.com',
    credential: 'internal-search',
    scrubbed: 3,
    asked: 'sample-9',
  }),
  refused(
    'watch.hidden-value',
    'The value of DB_PASSWORD in deploy/prod/.env.production stood in the body of a request to api.anthropic.com.',
    {
      host: 'api.anthropic.com',
      method: 'POST',
      path: '/v1/messages',
      rule: 'preset claude-code',
      credential: 'anthropic-work',
      bytesOut: 18_020,
      program: program(['claude']),
    },
  ),
  refused(
    'watch.other-credential',
    'The value of npm-publish stood in a header of a request to registry.example.',
    { host: 'registry.example', method: 'PUT', path: '/harbor-api', rule: 'package registries' },
  ),
  {
    kind: 'credential',
    op: 'tripped',
    credential: 'github-harbor',
    host: 'dns',
    code: 'grant.wrong-place',
    program: program(['dig', 'x.example.net']),
  },
  refused(
    'grant.path',
    'The credential internal-search is granted for search.example.com, but not for the path of this request.',
    { host: 'search.example.com', method: 'DELETE', path: '/admin/index', rule: 'default ask' },
  ),
  refused(
    'git.push-denied',
    'No git rule lets this session update refs/heads/main of acme/harbor-api.',
    {
      host: 'github.com',
      method: 'POST',
      path: '/acme/harbor-api.git/git-receive-pack',
      rule: 'git: push acme/harbor-api refs/heads/agent/*',
      program: program(['git', 'push', 'origin', 'main']),
    },
  ),
  {
    kind: 'approval',
    id: 'sample-8',
    what: 'git-push',
    ...push,
    repository: 'acme/harbor-api',
    refs: ['create refs/heads/agent/webhook-fix'],
    question: 'May this session push to github.com/acme/harbor-api?',
    answer: 'allowed',
    scope: 'session',
    durationMs: 9_400,
    program: program(['git', 'push', 'origin']),
  },
  {
    kind: 'approval',
    id: 'sample-9',
    what: 'destination',
    host: 'api.example.com',
    port: 8443,
    method: 'GET',
    path: '/live',
    question: 'May this session reach api.example.com:8443?',
    answer: 'allowed',
    scope: 'once',
    durationMs: 3_100,
    program: program(['node', 'server.js']),
  },
  {
    kind: 'approval',
    id: 'sample-10',
    what: 'destination',
    host: 'telemetry.pkgstats.dev',
    port: 443,
    method: 'POST',
    path: '/v2/events',
    question: 'May this session reach telemetry.pkgstats.dev?',
    answer: 'timed-out',
    durationMs: 120_000,
  },
  {
    kind: 'approval',
    id: 'sample-11',
    what: 'git-fetch',
    host: 'git.harbor.example',
    port: 8443,
    repository: 'acme/internal',
    question: 'May this session fetch from git.harbor.example:8443/acme/internal?',
    answer: 'denied',
    scope: 'once',
    durationMs: 2_200,
    program: program(['git', 'fetch']),
  },
  {
    kind: 'approval',
    id: 'sample-12',
    what: 'destination',
    host: 'example.org',
    port: 443,
    question: 'May this session reach example.org?',
    answer: 'withdrawn',
    durationMs: 30_000,
  },
  refused(
    'ask.timeout',
    'Reaching telemetry.pkgstats.dev:443 was asked about, and nobody answered in time.',
    {
      host: 'telemetry.pkgstats.dev',
      method: 'POST',
      path: '/v2/events',
      rule: 'default ask',
      asked: 'sample-10',
      firstSeen: true,
      bytesOut: 0,
    },
  ),
  refused('egress.no-rule', 'No rule lets this session reach that host.', {
    host: LONG_HOST,
    method: 'GET',
    path: LONG_PATH,
    rule: 'default deny',
    firstSeen: true,
    program: program(LONG_COMMAND, ['/bin/bash', '-lc', LONG_COMMAND.join(' ')]),
  }),
  egress({
    host: LONG_HOST,
    method: 'GET',
    path: LONG_PATH,
    status: 200,
    rule: `--allow ${LONG_HOST}`,
    credential: 'harbor-artifacts-of-the-european-region-for-nightly-builds',
    bytesIn: 912,
    firstSeen: true,
    program: program(LONG_COMMAND, ['/bin/bash', '-lc', LONG_COMMAND.join(' ')]),
  }),
];

/** Everything that a broker may have to tell, one row each, oldest first. */
export const BROKER_STORY: readonly TimelineDraft[] = ROWS.map((row, index) => ({
  ...row,
  at: isoTime(Date.now() - NEWEST_MS - (ROWS.length - 1 - index) * STEP_MS),
  ...(row.kind === 'egress' ? { id: `b${String(index)}` } : {}),
}));

/** Hosts, paths and commands that fit no line. */
export const LONG = { host: LONG_HOST, path: LONG_PATH, command: LONG_COMMAND } as const;
