import { CODES, type Program, type TimelineEvent } from '../../../app/contract/index.ts';
import { assertNever } from '../../../app/kit/index.ts';
import { hostWords } from '../../ui/words.ts';
import { formatBytes, formatDuration, plural } from '../../ui/format.ts';
import type { FoldedRow } from './fold.ts';
import { isBlocked } from './match.ts';

/** What colour and sign a row carries; the word that says the same stands in `verdict`. */
export type Tone = 'allowed' | 'denied' | 'failed' | 'pending' | 'file' | 'cred' | 'quiet' | 'warn';

export type RowWords = {
  readonly tone: Tone;
  readonly sign: string;
  /** The verdict or the kind in a word, for those who do not see sign and colour. */
  readonly verdict: string;
  /** What: the host or the file. */
  readonly what: string;
  /** A path is set in the fixed-width face. */
  readonly mono: boolean;
  /** Cut in its middle where it is too long: a host's domain and a file's name stand at the end. */
  readonly keepEnd: boolean;
  /** More of what, quieter. */
  readonly more: string | undefined;
  readonly right: string | undefined;
  readonly credential: string | undefined;
  /** Who and why. */
  readonly who: string;
  readonly figures: string | undefined;
  /** The reason of a refusal or a failure, as a sentence. */
  readonly reason: string | undefined;
  readonly firstSeen: boolean;
};

/** Parents shown on a row; the details show all. */
const SHOWN_ANCESTORS = 2;

const base = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

/** `node scripts/report.js`: the program's own name without its folder, and its words. */
export const commandWords = (argv: readonly string[]): string => {
  const [first = '', ...rest] = argv;
  return [base(first), ...rest].join(' ').trim();
};

/** `node scripts/report.js ‹ npm install ‹ claude`. */
export const programWords = (program: Program | undefined): string => {
  if (program === undefined) return 'program unknown';
  const ancestors = (program.ancestors ?? []).slice(0, SHOWN_ANCESTORS);
  return [program.command, ...ancestors]
    .map(commandWords)
    .filter((words) => words !== '')
    .join(' ‹ ');
};

/** A path as seen from the project folder. */
export const projectPath = (path: string, project: string): string =>
  path.startsWith(`${project}/`) ? path.slice(project.length + 1) : path;

/** The usual ports say nothing; every other one belongs to the destination. */
export const hostAndPort = (host: string, port: number): string =>
  port === 443 || port === 80 ? host : `${host}:${String(port)}`;

/** Protocols by the name a person knows. */
export const PROTOCOL_WORDS = {
  h1: 'HTTP/1.1',
  h2: 'HTTP/2',
  ws: 'WebSocket',
  tls: 'TLS',
  tcp: 'TCP',
  udp: 'UDP',
} as const;

/** Where a placeholder turned up: a name that is looked up goes to no host. */
export const turnedUpWords = (host: string): string =>
  host === 'dns' ? 'in a DNS lookup' : `at ${hostWords(host)}`;

const TOUCH_SIGNS = {
  open: '◦',
  read: '◦',
  write: '✎',
  create: '+',
  rename: '→',
  delete: '−',
  exec: '▹',
} as const;

const SESSION_WORDS = {
  started: 'Session started',
  ready: 'Session ready',
  stopped: 'Session stopped',
  failed: 'Session failed',
  accepted: 'Changes accepted',
  discarded: 'Changes discarded',
  'broker-lost': 'Broker lost: nothing leaves',
  'broker-back': 'Broker is back',
  'guard-lost': 'Guard lost: touches are not seen',
} as const;

/** What became of a question. */
export const ANSWER_WORDS = {
  allowed: 'allowed',
  denied: 'refused',
  'timed-out': 'no answer in time',
  nobody: 'nobody was there',
  withdrawn: 'the program gave up',
} as const;

const SCOPE_WORDS = { once: ' once', session: ' for the session' } as const;

const why = (rule: string | undefined): string => (rule === undefined ? '' : ` · rule “${rule}”`);

const times = (count: number): string => (count > 1 ? ` ×${count}` : '');

const NOTHING = {
  more: undefined,
  right: undefined,
  credential: undefined,
  figures: undefined,
  reason: undefined,
  firstSeen: false,
  mono: false,
  keepEnd: false,
} as const;

const READ_SHOWN = 2;

const touchWords = (
  row: FoldedRow,
  event: Extract<TimelineEvent, { kind: 'touch' }>,
  project: string,
): RowWords => {
  const path = projectPath(event.path, project);
  const who = programWords(event.program);
  if (event.verdict === 'denied') {
    return {
      ...NOTHING,
      tone: 'denied',
      sign: '✕',
      verdict: 'blocked',
      what: path,
      mono: true,
      keepEnd: true,
      more: `${event.op} refused${times(row.count)}`,
      right: event.code,
      who: `${who}${why(event.rule)}`,
      reason: event.code === undefined ? undefined : CODES[event.code],
    };
  }
  const names = new Set(
    row.events.map((one) => (one.kind === 'touch' ? projectPath(one.path, project) : '')),
  );
  const several = names.size > 1;
  const listed = Array.from(names, base);
  const rest = listed.length - READ_SHOWN;
  return {
    ...NOTHING,
    tone: 'file',
    sign: TOUCH_SIGNS[event.op],
    verdict: event.op,
    what: several ? path.slice(0, path.lastIndexOf('/') + 1) || './' : path,
    mono: true,
    keepEnd: true,
    more: several
      ? `${listed.slice(0, READ_SHOWN).join(', ')}${rest > 0 ? `, ${rest} more` : ''}`
      : event.to === undefined
        ? undefined
        : `→ ${projectPath(event.to, project)}`,
    right: `${event.op}${times(row.count)}`,
    who,
  };
};

const egressWords = (
  row: FoldedRow,
  event: Extract<TimelineEvent, { kind: 'egress' }>,
): RowWords => {
  const denied = event.verdict === 'denied';
  const failed = !denied && event.code !== undefined;
  const target = [event.method ?? PROTOCOL_WORDS[event.protocol], event.path].filter(
    (part) => part !== undefined,
  );
  return {
    ...NOTHING,
    tone: denied ? 'denied' : failed ? 'failed' : 'allowed',
    sign: denied ? '✕' : failed ? '!' : '↗',
    verdict: denied ? 'blocked' : failed ? 'failed' : 'allowed',
    what: hostAndPort(event.host, event.port),
    keepEnd: true,
    more: `${target.join(' ')}${times(row.count)}`,
    right:
      event.code ?? event.status?.toString() ?? (event.inspected ? undefined : 'not inspected'),
    credential: event.credential,
    who: `${programWords(event.program)}${why(event.rule)}`,
    figures: denied
      ? undefined
      : `${formatBytes(event.bytesIn + event.bytesOut)} · ${formatDuration(event.durationMs)}`,
    reason: event.code === undefined ? undefined : (event.detail ?? CODES[event.code]),
    firstSeen: event.firstSeen === true,
  };
};

/** Whether a row has a third line: why something was refused, or why it failed. */
export const hasReason = (event: TimelineEvent): boolean =>
  isBlocked(event) || (event.kind === 'egress' && event.code !== undefined);

/** The words of one row. */
export const rowWords = (row: FoldedRow, project: string): RowWords => {
  const { event } = row;
  switch (event.kind) {
    case 'egress':
      return egressWords(row, event);
    case 'dns': {
      const denied = event.verdict === 'denied';
      return {
        ...NOTHING,
        tone: denied ? 'denied' : 'quiet',
        sign: denied ? '✕' : '≡',
        verdict: denied ? 'blocked' : 'looked up',
        what: event.name,
        keepEnd: true,
        more: `DNS ${event.type}${times(row.count)}`,
        right: denied ? event.code : 'name',
        who: `${programWords(event.program)}${why(event.rule)}`,
        reason: denied && event.code !== undefined ? CODES[event.code] : undefined,
      };
    }
    case 'touch':
      return touchWords(row, event, project);
    case 'credential': {
      const tripped = event.op === 'tripped';
      const { op, host } = event;
      const where = op === 'granted' ? 'granted for' : 'first used at';
      return {
        ...NOTHING,
        tone: tripped ? 'denied' : 'cred',
        sign: tripped ? '✕' : '◆',
        verdict: tripped ? 'blocked' : event.op,
        what: event.credential,
        more:
          host === undefined
            ? 'placeholder'
            : tripped
              ? `turned up ${turnedUpWords(host)}`
              : `${where} ${hostWords(host)}`,
        right: tripped ? event.code : event.op,
        who: event.program === undefined ? 'Glovebox' : programWords(event.program),
        reason: tripped && event.code !== undefined ? CODES[event.code] : undefined,
      };
    }
    case 'approval': {
      const allowed = event.answer === 'allowed';
      const target = event.repository ?? event.path;
      const act = event.what === 'destination' ? (event.method ?? 'reach') : event.what.slice(4);
      return {
        ...NOTHING,
        tone: allowed ? 'allowed' : event.answer === 'withdrawn' ? 'quiet' : 'denied',
        sign: '?',
        verdict: 'question',
        what: hostAndPort(event.host, event.port),
        keepEnd: true,
        more: [act, target, ...(event.refs ?? [])].filter((part) => part !== undefined).join(' '),
        right: `${ANSWER_WORDS[event.answer]}${event.scope === undefined ? '' : SCOPE_WORDS[event.scope]}`,
        credential: event.credential,
        who: programWords(event.program),
        figures: `after ${formatDuration(event.durationMs)}`,
      };
    }
    case 'process':
      return {
        ...NOTHING,
        tone: 'quiet',
        sign: '▹',
        verdict: `program ${event.op}`,
        what: commandWords(event.command),
        mono: true,
        right:
          event.op === 'start'
            ? 'start'
            : `exit${event.exitCode === undefined ? '' : ` ${event.exitCode}`}`,
        who: event.program === undefined ? 'started by Glovebox' : programWords(event.program),
        figures: event.durationMs === undefined ? undefined : formatDuration(event.durationMs),
      };
    case 'session': {
      const bad = event.op === 'failed' || event.op.endsWith('-lost');
      return {
        ...NOTHING,
        tone: bad ? 'warn' : 'quiet',
        sign: bad ? '!' : '●',
        verdict: bad ? 'warning' : 'session',
        what: SESSION_WORDS[event.op],
        right: event.code,
        who: event.message ?? 'Glovebox',
      };
    }
    case 'policy':
      return {
        ...NOTHING,
        tone: 'quiet',
        sign: '§',
        verdict: 'policy',
        what: 'Rules in force',
        right: plural(event.rules.length, 'rule'),
        who: event.rules.slice(0, 3).join(' · '),
      };
    case 'gap':
      return {
        ...NOTHING,
        tone: 'warn',
        sign: '≈',
        verdict: 'gap',
        what:
          event.lost === 0
            ? 'Some events were lost here'
            : `${plural(event.lost, 'event')} lost here`,
        right: event.source,
        who: event.message ?? 'What happened in between was not seen',
      };
    default:
      return assertNever(event, 'an event in words');
  }
};
