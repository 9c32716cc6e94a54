import type { DatabaseSync } from 'node:sqlite';
import { TimelineEvent, type TimelineCheck } from '../contract/index.ts';
import { canonicalJson, firstHash, nextHash, sameHash, type ChainHash } from './chain.ts';
import { facetsOf } from './facets.ts';
import { readHead, type Head } from './head.ts';
import type { TimelineFile } from './port.ts';

type Walk = {
  readonly events: number;
  readonly brokenAt?: number;
  readonly why?: string;
  /** Hash of the event that the anchor names. */
  readonly anchored?: ChainHash;
};

const FACETS = [
  'class',
  'blocked',
  'ms',
  'host',
  'path',
  'prog',
  'code',
  'method',
  'words',
] as const;

/** What is wrong with one row, if anything; the chain's hash is compared by the caller. */
const rowFault = (
  row: Record<string, unknown>,
  seq: number,
  file: TimelineFile,
): string | undefined => {
  if (row['seq'] !== seq) return `event ${seq} is missing`;
  let event: TimelineEvent;
  try {
    event = TimelineEvent.parse(JSON.parse(String(row['json'])));
    if (canonicalJson(event) !== row['json']) return `event ${seq} was rewritten`;
  } catch {
    return `event ${seq} cannot be read`;
  }
  if (event.seq !== seq) return `event ${seq} carries another number`;
  if (event.session !== file.session) return `event ${seq} is of another session`;
  const facets = facetsOf(event);
  if (FACETS.some((name) => facets[name] !== row[name])) {
    return `event ${seq} is filed under other words than its own`;
  }
  return undefined;
};

const walk = (database: DatabaseSync, file: TimelineFile, head: Head | undefined): Walk => {
  const { total } = database.prepare('SELECT count(*) AS total FROM events').get() ?? {};
  const events = Number(total);
  let hash = firstHash(file.session);
  let anchored = head?.events === 0 ? hash : undefined;
  let seq = 0;
  for (const row of database.prepare('SELECT * FROM events ORDER BY seq').iterate()) {
    seq += 1;
    const why = rowFault(row, seq, file);
    if (why !== undefined) return { events, brokenAt: seq, why };
    hash = nextHash(hash, String(row['json']));
    const stored = row['hash'];
    if (!(stored instanceof Uint8Array) || !sameHash(stored, hash)) {
      return { events, brokenAt: seq, why: `event ${seq} does not fit the chain` };
    }
    if (head?.events === seq) anchored = hash;
  }
  return anchored === undefined ? { events } : { events, anchored };
};

const judge = (seen: Walk, head: Head | undefined, file: TimelineFile): TimelineCheck => {
  const { events } = seen;
  const broken = (message: string, brokenAt?: number): TimelineCheck =>
    brokenAt === undefined
      ? { intact: false, events, message }
      : { intact: false, events, brokenAt, message };
  if (seen.brokenAt !== undefined) return broken(`Changed: ${seen.why}.`, seen.brokenAt);
  if (head === undefined)
    return broken('The anchor file is missing: the end may have been cut off.');
  if (head.session !== file.session) return broken('The anchor file is of another session.');
  if (head.broken !== undefined) return broken(head.broken.message, head.broken.at);
  if (events < head.events) {
    return broken(`Cut off: ${head.events - events} events are missing at the end.`, events + 1);
  }
  if (seen.anchored === undefined || Buffer.from(seen.anchored).toString('hex') !== head.hash) {
    return broken('The record is not the one that was anchored.', Math.max(head.events, 1));
  }
  if (head.sealed && events > head.events) {
    return broken('Added to: events follow after the record was sealed.', head.events + 1);
  }
  const after = events - head.events;
  const rest = after === 0 ? '' : `, the last ${after} not yet anchored`;
  return { intact: true, events, message: `Intact: ${events} events in one chain${rest}.` };
};

/** Recomputes the whole record: every hash, every derived column, and the anchor. Throws what SQLite says. */
export const verifyStore = (database: DatabaseSync, file: TimelineFile): TimelineCheck => {
  // The anchor first: while somebody writes, the store is then never behind it.
  const before = readHead(file.path);
  if (!before.ok) {
    const { events } = walk(database, file, undefined);
    return { intact: false, events, message: before.error.message };
  }
  const check = judge(walk(database, file, before.value), before.value, file);
  if (check.intact || before.value?.sealed !== true) return check;
  // A sealed record may have been opened again (accept, discard) between the two looks.
  const now = readHead(file.path);
  if (!now.ok || now.value === undefined || now.value.hash === before.value.hash) return check;
  return judge(walk(database, file, now.value), now.value, file);
};
