import { diffLines } from 'diff';

/** Largest text that is compared line by line. */
export const MAX_DIFF_BYTES = 1_048_576;
/** Time one comparison may take. */
export const DIFF_TIMEOUT_MS = 200;
/** Edits after which a comparison gives up. */
const MAX_DIFF_EDITS = 20_000;

const isText = (bytes: Buffer): boolean => !bytes.subarray(0, 8192).includes(0);

const linesOf = (text: string): number =>
  text === '' ? 0 : text.split('\n').length - (text.endsWith('\n') ? 1 : 0);

export type LineCounts = { readonly added?: number; readonly removed?: number };

/** Lines added and removed between two contents; nothing for binary, large or too different ones. */
export const countLines = (before: Buffer | undefined, after: Buffer | undefined): LineCounts => {
  if (!isText(before ?? Buffer.alloc(0)) || !isText(after ?? Buffer.alloc(0))) return {};
  const old = before?.toString('utf8') ?? '';
  const now = after?.toString('utf8') ?? '';
  if (old === '') return { added: linesOf(now), removed: 0 };
  if (now === '') return { added: 0, removed: linesOf(old) };
  const parts = diffLines(old, now, { timeout: DIFF_TIMEOUT_MS, maxEditLength: MAX_DIFF_EDITS });
  if (parts === undefined) return {};
  let added = 0;
  let removed = 0;
  for (const part of parts) {
    if (part.added) added += part.count;
    else if (part.removed) removed += part.count;
  }
  return { added, removed };
};
