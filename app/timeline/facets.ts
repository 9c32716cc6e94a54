import type { Program, TimelineDraft } from '../contract/index.ts';
import { assertNever } from '../kit/index.ts';

/** The views that an event counts under, as numbers in the store. */
export const EVENT_CLASSES = { other: 0, egress: 1, files: 2, credentials: 3 } as const;

/**
 * What an event is found by: stored beside its JSON, derived from it alone, lower case where it is
 * text. Never the record itself: `verify` derives it again and compares.
 */
export type Facets = {
  readonly class: (typeof EVENT_CLASSES)[keyof typeof EVENT_CLASSES];
  readonly blocked: 0 | 1;
  /** Milliseconds since the epoch. */
  readonly ms: number;
  readonly host: string;
  readonly path: string;
  readonly prog: string;
  readonly code: string;
  readonly method: string;
  /** Everything a bare word is looked for in. */
  readonly words: string;
};

/** Most characters of one searchable text; what lies behind is in the record but not found by words. */
export const MAX_FACET_CHARS = 4096;

const text = (...parts: readonly (string | undefined)[]): string =>
  parts
    .filter((part) => part !== undefined && part !== '')
    .join('\n')
    .slice(0, MAX_FACET_CHARS)
    .toLowerCase()
    // SQLite's text functions stop at NUL; a cut pair has no UTF-8.
    .replaceAll('\0', '\ufffd')
    .toWellFormed();

const programText = (program: Program | undefined): string =>
  program === undefined
    ? ''
    : [program.command, ...(program.ancestors ?? [])].map((argv) => argv.join(' ')).join('\n');

type Found = {
  readonly class: Facets['class'];
  readonly blocked?: boolean;
  readonly host?: string | undefined;
  readonly path?: string | undefined;
  readonly code?: string | undefined;
  readonly method?: string | undefined;
  readonly more?: readonly (string | undefined)[];
};

const found = (event: TimelineDraft): Found => {
  switch (event.kind) {
    case 'egress':
      return {
        class: EVENT_CLASSES.egress,
        blocked: event.verdict === 'denied',
        host: event.host,
        path: event.path,
        code: event.code,
        method: event.method,
        more: [event.rule, event.credential, event.detail, event.scheme, event.address],
      };
    case 'dns':
      return {
        class: EVENT_CLASSES.egress,
        blocked: event.verdict === 'denied',
        host: event.name,
        code: event.code,
        method: event.type,
        more: [event.rule],
      };
    case 'touch':
      return {
        class: EVENT_CLASSES.files,
        blocked: event.verdict === 'denied',
        path: event.to === undefined ? event.path : `${event.path}\n${event.to}`,
        code: event.code,
        method: event.op,
        more: [event.rule],
      };
    case 'credential':
      return {
        class: EVENT_CLASSES.credentials,
        blocked: event.op === 'tripped',
        host: event.host,
        code: event.code,
        method: event.op,
        more: [event.credential],
      };
    case 'approval':
      return {
        class: EVENT_CLASSES.egress,
        // What was refused by it has its own record, and counts there.
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
      return { class: EVENT_CLASSES.other, method: event.op, more: [event.command.join(' ')] };
    case 'session':
      return {
        class: EVENT_CLASSES.other,
        code: event.code,
        method: event.op,
        more: [event.message],
      };
    case 'policy':
      return { class: EVENT_CLASSES.other, method: event.op, more: event.rules };
    case 'gap':
      return { class: EVENT_CLASSES.other, method: event.source, more: [event.message] };
    default:
      return assertNever(event, 'reading an event');
  }
};

/** Derives what an event is found by. */
export const facetsOf = (event: TimelineDraft): Facets => {
  const from = found(event);
  const program = programText(event.program);
  const prog = event.kind === 'process' ? `${event.command.join(' ')}\n${program}` : program;
  return {
    class: from.class,
    blocked: from.blocked === true ? 1 : 0,
    ms: Date.parse(event.at),
    host: text(from.host),
    path: text(from.path),
    prog: text(prog),
    code: text(from.code),
    method: text(from.method),
    words: text(
      event.kind,
      from.method,
      from.host,
      from.path,
      from.code,
      ...(from.more ?? []),
      prog,
    ),
  };
};
