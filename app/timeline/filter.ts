import type { TimelineFilter } from '../contract/index.ts';
import { EVENT_CLASSES } from './facets.ts';

/** Most words of one filter that are looked at; the rest would only narrow further. */
export const MAX_FILTER_WORDS = 16;

/** A condition over the events table. `where` is built from constants only; what the user typed is in `values`. */
export type Condition = { readonly where: string; readonly values: readonly string[] };

const VIEWS: Readonly<Record<TimelineFilter['view'], string | undefined>> = {
  all: undefined,
  egress: `class = ${EVENT_CLASSES.egress}`,
  files: `class = ${EVENT_CLASSES.files}`,
  credentials: `class = ${EVENT_CLASSES.credentials}`,
  blocked: 'blocked = 1',
};

const COLUMNS = ['prog', 'host', 'code', 'path', 'method'] as const;

/** Reads a filter: all words must occur, in any case; `prog:`, `host:`, `code:`, `path:`, `method:` say where. */
export const conditionOf = (filter: TimelineFilter): Condition => {
  const parts: string[] = [];
  const values: string[] = [];
  const view = VIEWS[filter.view];
  if (view !== undefined) parts.push(view);
  const words = filter.text.toLowerCase().toWellFormed().replaceAll('\0', '\ufffd').split(/\s+/u);
  for (const word of words.filter((one) => one !== '').slice(0, MAX_FILTER_WORDS)) {
    const column = COLUMNS.find((name) => word.startsWith(`${name}:`));
    const needle = column === undefined ? word : word.slice(column.length + 1);
    if (needle === '') continue;
    parts.push(`instr(${column ?? 'words'}, ?) > 0`);
    values.push(needle);
  }
  return { where: parts.length === 0 ? '1' : parts.join(' AND '), values };
};
