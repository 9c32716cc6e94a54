import type { OpenQuestion } from '../../app/contract/index.ts';
import { isoTime } from '../../app/kit/index.ts';

const inAMoment = (name: string): Pick<OpenQuestion, 'id' | 'at' | 'endsAt'> => ({
  id: name,
  at: isoTime(Date.now() - 12_000),
  endsAt: isoTime(Date.now() + 108_000),
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
