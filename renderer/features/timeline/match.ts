import type {
  Program,
  TimelineDraft,
  TimelineFilter,
  TimelineView,
} from '../../../app/contract/index.ts';
import { assertNever } from '../../../app/kit/index.ts';

// The store decides what a page holds; live events are judged here by the same rules, so that a row that
// came live is there again after a reload.

/** True for what was refused or tripped: what the Blocked view shows. */
export const isBlocked = (event: TimelineDraft): boolean => {
  if (event.kind === 'egress' || event.kind === 'dns' || event.kind === 'touch') {
    return event.verdict === 'denied';
  }
  return event.kind === 'credential' && event.op === 'tripped';
};

const inView = (event: TimelineDraft, view: TimelineView): boolean => {
  switch (view) {
    case 'all':
      return true;
    case 'egress':
      return event.kind === 'egress' || event.kind === 'dns' || event.kind === 'approval';
    case 'files':
      return event.kind === 'touch';
    case 'credentials':
      return event.kind === 'credential';
    case 'blocked':
      return isBlocked(event);
    default:
      return assertNever(view, 'a view of the timeline');
  }
};

const FIELDS = ['prog', 'host', 'code', 'path', 'method'] as const;
type Field = (typeof FIELDS)[number];
type Texts = { readonly [F in Field]?: string | undefined } & {
  readonly more?: readonly (string | undefined)[];
};

const programText = (program: Program | undefined): string =>
  program === undefined
    ? ''
    : [program.command, ...(program.ancestors ?? [])].map((argv) => argv.join(' ')).join('\n');

const textsOf = (event: TimelineDraft): Texts => {
  const prog = programText(event.program);
  switch (event.kind) {
    case 'egress':
      return {
        prog,
        host: event.host,
        path: event.path,
        code: event.code,
        method: event.method,
        more: [event.rule, event.credential, event.detail, event.scheme, event.address],
      };
    case 'dns':
      return { prog, host: event.name, code: event.code, method: event.type, more: [event.rule] };
    case 'touch':
      return {
        prog,
        path: event.to === undefined ? event.path : `${event.path}\n${event.to}`,
        code: event.code,
        method: event.op,
        more: [event.rule],
      };
    case 'credential':
      return {
        prog,
        host: event.host,
        code: event.code,
        method: event.op,
        more: [event.credential],
      };
    case 'approval':
      return {
        prog,
        host: event.host,
        path: event.path,
        method: event.method ?? event.what,
        more: [
          event.question,
          event.answer,
          event.repository,
          ...(event.refs ?? []),
          event.credential,
        ],
      };
    case 'process':
      return { prog: `${event.command.join(' ')}\n${prog}`, method: event.op };
    case 'session':
      return { prog, code: event.code, method: event.op, more: [event.message] };
    case 'policy':
      return { prog, method: event.op, more: event.rules };
    case 'gap':
      return { prog, method: event.source, more: [event.message] };
    default:
      return assertNever(event, 'the words of an event');
  }
};

/** Whether an event belongs to what is shown: the view, and every word of the text (`prog:`, `host:`, `code:`, `path:`, `method:` say where). */
export const matchesFilter = (event: TimelineDraft, filter: TimelineFilter): boolean => {
  if (!inView(event, filter.view)) return false;
  const words = filter.text.toLowerCase().split(/\s+/u);
  if (words.every((word) => word === '')) return true;
  const texts = textsOf(event);
  const all = [event.kind, ...FIELDS.map((field) => texts[field]), ...(texts.more ?? [])]
    .join('\n')
    .toLowerCase();
  return words.every((word) => {
    const field = FIELDS.find((name) => word.startsWith(`${name}:`));
    if (field === undefined) return all.includes(word);
    return (texts[field] ?? '').toLowerCase().includes(word.slice(field.length + 1));
  });
};
