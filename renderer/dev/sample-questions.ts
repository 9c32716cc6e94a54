import type { OpenQuestion } from '../../app/contract/index.ts';
import { isoTime } from '../../app/kit/index.ts';
import { LONG } from './sample-broker.ts';

const inAMoment = (name: string, leftMs = 108_000): Pick<OpenQuestion, 'id' | 'at' | 'endsAt'> => ({
  id: name,
  at: isoTime(Date.now() - 120_000 + leftMs),
  endsAt: isoTime(Date.now() + leftMs),
});

/** Questions of every kind, one with hostile words. */
export const QUESTIONS: readonly OpenQuestion[] = [
  {
    ...inAMoment('sample-1'),
    what: 'destination',
    scheme: 'https',
    host: 'telemetry.pkgstats.dev',
    port: 443,
    method: 'POST',
    path: '/v2/events',
    program: {
      pid: 812,
      command: ['node', 'scripts/report.js'],
      ancestors: [['npm', 'install'], ['claude']],
    },
  },
  {
    ...inAMoment('sample-2'),
    what: 'git-push',
    scheme: 'https',
    host: 'github.com',
    port: 443,
    repository: 'acme/harbor-api',
    refs: ['update refs/heads/main', 'create refs/heads/agent/\u202ewebhook-fix'],
    credential: 'github-harbor',
    program: { pid: 90, command: ['git', 'push', 'origin'], ancestors: [['claude']] },
  },
  {
    ...inAMoment('sample-3'),
    what: 'git-fetch',
    scheme: 'https',
    host: 'git.harbor.example',
    port: 8443,
    repository: 'acme/internal',
  },
  {
    ...inAMoment('sample-4'),
    what: 'destination',
    scheme: 'http',
    host: 'example.org',
    port: 80,
    method: 'GET',
    path: '/',
  },
];

/** As many as may be open at once, with all that fits no line; the first is nearly over. */
export const MANY_QUESTIONS: readonly OpenQuestion[] = [
  {
    ...inAMoment('many-1', 9_000),
    what: 'destination',
    scheme: 'https',
    host: LONG.host,
    port: 8443,
    method: 'POST',
    path: LONG.path,
    credential: 'harbor-artifacts-of-the-european-region-for-nightly-builds',
    program: { pid: 9, command: [...LONG.command], ancestors: [['npm', 'install'], ['claude']] },
  },
  {
    ...inAMoment('many-2', 40_000),
    what: 'git-push',
    scheme: 'https',
    host: 'github.com',
    port: 443,
    repository: `acme/${'harbor-api-'.repeat(12)}of-all-regions`,
    refs: Array.from(
      { length: 10 },
      (_, i) => `update refs/heads/agent/a-branch-with-a-long-name-${'and-more-'.repeat(6)}${i}`,
    ),
    credential: 'github-harbor',
    program: { pid: 90, command: ['git', 'push', '--all', 'origin'], ancestors: [['claude']] },
  },
  ...Array.from({ length: 14 }, (_, i): OpenQuestion => ({
    ...inAMoment(`many-${String(i + 3)}`, 60_000 + i * 1_000),
    what: 'destination',
    scheme: 'https',
    host: `cdn-${String(i)}.example.net`,
    port: 443,
    method: 'GET',
    path: '/bundle.js',
    program: { pid: 12, command: ['node', 'build.js'], ancestors: [['claude']] },
  })),
];
