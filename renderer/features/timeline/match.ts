import type {
  EgressDraft,
  Program,
  TimelineEvent,
  TimelineFilter,
  TimelineView,
} from '../../../app/contract/index.ts';
import { assertNever } from '../../../app/kit/index.ts';

/** True for what was refused or tripped: what the Blocked view shows. */
export const isBlocked = (event: TimelineEvent): boolean => {
  if (event.kind === 'egress' || event.kind === 'dns' || event.kind === 'touch') {
    return event.verdict === 'denied';
  }
  return event.kind === 'credential' && event.op === 'tripped';
};

const inView = (event: TimelineEvent, view: TimelineView): boolean => {
  switch (view) {
    case 'all':
      return true;
    case 'egress':
      return event.kind === 'egress' || event.kind === 'dns';
    case 'files':
      return event.kind === 'touch';
    case 'credentials':
      return (
        event.kind === 'credential' || (event.kind === 'egress' && event.credential !== undefined)
      );
    case 'blocked':
      return isBlocked(event);
    default:
      return assertNever(view, 'a view of the timeline');
  }
};

/** The same for a request under way, which has no number yet. */
export const draftMatches = (draft: EgressDraft, filter: TimelineFilter): boolean =>
  matchesFilter({ ...draft, seq: 1, session: '' }, filter);

const programText = (program: Program | undefined): string =>
  program === undefined
    ? ''
    : [program.command, ...(program.ancestors ?? [])].map((argv) => argv.join(' ')).join(' ');

const hostText = (event: TimelineEvent): string => {
  if (event.kind === 'egress') return `${event.host}:${event.port}`;
  if (event.kind === 'dns') return event.name;
  return event.kind === 'credential' ? (event.host ?? '') : '';
};

const codeText = (event: TimelineEvent): string => ('code' in event ? (event.code ?? '') : '');

const everything = (event: TimelineEvent): string => {
  const parts = [programText(event.program), hostText(event), codeText(event)];
  switch (event.kind) {
    case 'egress':
      parts.push(
        event.method ?? '',
        event.path ?? '',
        event.rule ?? '',
        event.credential ?? '',
        String(event.status ?? ''),
      );
      break;
    case 'dns':
      parts.push(event.type, event.rule ?? '');
      break;
    case 'touch':
      parts.push(event.op, event.path, event.to ?? '', event.rule ?? '');
      break;
    case 'credential':
      parts.push(event.op, event.credential);
      break;
    case 'process':
      parts.push(event.op, event.command.join(' '));
      break;
    case 'session':
    case 'gap':
      parts.push(event.message ?? '');
      break;
    case 'policy':
      parts.push(...event.rules);
      break;
  }
  return parts.join(' ');
};

/** Whether an event belongs to what is shown: the view, and every word of the text (`prog:`, `host:`, `code:` narrow one). */
export const matchesFilter = (event: TimelineEvent, filter: TimelineFilter): boolean => {
  if (!inView(event, filter.view)) return false;
  return filter.text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => {
      if (word === '') return true;
      const [, field, rest] = /^(prog|host|code):(.*)$/.exec(word) ?? [];
      if (field === 'prog')
        return programText(event.program)
          .toLowerCase()
          .includes(rest ?? '');
      if (field === 'host')
        return hostText(event)
          .toLowerCase()
          .includes(rest ?? '');
      if (field === 'code')
        return codeText(event)
          .toLowerCase()
          .includes(rest ?? '');
      return everything(event).toLowerCase().includes(word);
    });
};
