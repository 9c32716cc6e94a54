import type { SessionId, SessionSummary, TerminalId } from '../../app/contract/index.ts';
import { isoTime } from '../../app/kit/index.ts';
import { PROJECT } from './sample-project.ts';
import { ago, DAY_MS, HOUR_MS, MINUTE_MS } from './sample-time.ts';

export const sessionId = (text: string): SessionId => text as SessionId;
export const terminalId = (text: string): TerminalId => text as TerminalId;

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

export const MAIN = sessionId('harb0r000001');
export const STARTING = sessionId('start0000001');
export const FAILED = sessionId('fa1ed0000001');
export const ENDED = sessionId('ended0000001');
export const CLOSED = sessionId('cxsed0000001');
const LIVE = sessionId('ajar00000001');

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
    startedAt: ago(3 * HOUR_MS),
    endedAt: ago(3 * HOUR_MS - 40_000),
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
    startedAt: ago(50 * HOUR_MS),
    endedAt: ago(49 * HOUR_MS),
    exitCode: 0,
    changed: 9,
  }),
  session({
    id: CLOSED,
    assistant: 'shell',
    project: '/home/me/ledger',
    projectName: 'ledger',
    state: 'closed',
    startedAt: ago(9 * DAY_MS),
    endedAt: ago(9 * DAY_MS - 3_000_000),
    exitCode: 0,
    changed: 0,
  }),
];
