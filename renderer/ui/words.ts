import type {
  AssistantName,
  MountNote,
  SessionSummary,
  StartStep,
} from '../../app/contract/index.ts';
import { assertNever } from '../../app/kit/index.ts';
import { plural } from './format.ts';

export const ASSISTANT_TITLES: Readonly<Record<AssistantName, string>> = {
  'claude-code': 'Claude Code',
  codex: 'Codex',
  'gemini-cli': 'Gemini CLI',
  opencode: 'opencode',
  shell: 'Shell',
};

export const STEP_TITLES: Readonly<Record<StartStep, string>> = {
  engine: 'Container engine',
  images: 'Images',
  workspace: 'Working copy',
  broker: 'Broker',
  gateway: 'Gateway',
  sandbox: 'Sandbox',
  guard: 'Guard',
  assistant: 'Assistant',
};

export const MOUNT_WORDS: Readonly<Record<MountNote['how'], string>> = {
  'copy-on-write': 'copy-on-write',
  'read-write': 'read and write',
  'read-only': 'read only',
  'own-volume': 'its own volume',
  memory: 'in memory',
};

/** The second line of a session in the list. */
export const sessionWords = (session: SessionSummary): string => {
  const title = sessionTitle(session);
  const name = title === '' ? '' : `${title} · `;
  switch (session.state) {
    case 'starting':
      return session.progress?.message ?? 'starting';
    case 'running':
      return title === '' ? 'running' : title;
    case 'stopping':
      return `${name}stopping`;
    case 'review':
      return session.changed === undefined
        ? `${name}to review`
        : `${plural(session.changed, 'file')} to review`;
    case 'closed':
      return `${name}nothing left to decide`;
    case 'failed':
      return `could not start${session.problem === undefined ? '' : ` · ${session.problem.code}`}`;
    default:
      return assertNever(session.state, 'the state of a session');
  }
};

/** A host rule without the port that everyone expects. */
export const hostWords = (rule: string): string => rule.replace(/:443$/, '');

/** The user's own name for a session; none where it only repeats the assistant's. */
export const sessionTitle = (session: SessionSummary): string =>
  session.title === ASSISTANT_TITLES[session.assistant] ? '' : session.title;
