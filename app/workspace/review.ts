import { statfsSync } from 'node:fs';
import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_CHANGES, type AcceptReport, type ChangeSet, type Code } from '../contract/index.ts';
import { failure, type Failure } from '../kit/index.ts';
import type { Act, Comparison } from './acts.ts';
import { ApplyError, applyActs } from './apply.ts';
import { compareLayers } from './compare.ts';
import type { Manifest } from './manifest.ts';

/** Most changes that are counted while a session runs; the count stops there. */
export const MAX_COUNTED_CHANGES = 10_000;
/** Bytes that stay free on the project's disk beside what accept writes. */
export const DISK_RESERVE_BYTES = 16 * 1024 * 1024;
/** Conflicting paths that a message names. */
const NAMED_CONFLICTS = 20;

export type ReviewRequest = { readonly upper: string; readonly manifest: Manifest };

/** What a thread answers: plain data, so a failure travels as one. */
export type ReviewAnswer = ChangeSet;
export type AcceptAnswer =
  | { readonly type: 'accepted'; readonly report: AcceptReport }
  /** Nothing was written. */
  | { readonly type: 'refused'; readonly failure: Failure<Code> }
  /** Some was written; the rest is still there to be accepted again. */
  | { readonly type: 'stopped'; readonly failure: Failure<Code> };

export const reviewLayers = (request: ReviewRequest): ReviewAnswer => {
  const { changes, cut } = compareLayers(request.upper, request.manifest);
  return { changes: [...changes], cut };
};

const sizeOf = (act: Act): number => (act.type === 'write' ? act.bytes : 0);

/** Everything that can be known to fail before the first write. */
const preflight = (request: ReviewRequest, comparison: Comparison): Failure<Code> | undefined => {
  const { project } = request.manifest;
  if (comparison.conflicts.length > 0) {
    const named = comparison.conflicts.slice(0, NAMED_CONFLICTS).join(', ');
    const more = comparison.conflicts.length - NAMED_CONFLICTS;
    return failure(
      'workspace.conflict',
      `Both you and the session changed ${named}${more > 0 ? ` and ${more} more` : ''}; nothing was written.`,
      'Move your own version aside, accept, and bring the two together; or discard the session’s changes.',
    );
  }
  const stats = statfsSync(project);
  const free = stats.bavail * stats.bsize;
  const needed = comparison.acts.reduce((sum, act) => sum + sizeOf(act), 0);
  if (needed > 0 && needed + DISK_RESERVE_BYTES > free) {
    return failure(
      'workspace.disk-full',
      `The changes need ${needed} bytes and ${project} has ${free} left; nothing was written.`,
      'Free some space and accept again.',
    );
  }
  return undefined;
};

/** Compares, checks everything, and only then writes. Runs in a thread. */
export const acceptLayers = (request: ReviewRequest): AcceptAnswer => {
  const { upper, manifest } = request;
  const comparison = compareLayers(upper, manifest);
  const refusal = preflight(request, comparison);
  if (refusal !== undefined) return { type: 'refused', failure: refusal };
  try {
    applyActs(manifest.project, upper, comparison.acts, manifest);
  } catch (problem) {
    const error = problem instanceof ApplyError ? problem : undefined;
    const full = ['ENOSPC', 'EDQUOT'].includes(error?.code ?? '');
    const reached = `${error?.done ?? 0} of ${comparison.acts.length} steps are done`;
    return {
      type: 'stopped',
      failure: failure(
        full ? 'workspace.disk-full' : 'workspace.failed',
        full
          ? `The disk is full at ${error?.path ?? manifest.project}; ${reached}.`
          : `${error?.path ?? manifest.project} could not be written (${error?.code ?? (problem as Error).message}); ${reached}.`,
        'The changes are kept: mend the cause and accept again.',
      ),
    };
  }
  return {
    type: 'accepted',
    report: {
      applied: comparison.planned,
      heldBack: comparison.changes
        .filter((row) => row.heldBack !== undefined)
        .slice(0, MAX_CHANGES),
    },
  };
};

/** Counts what lies in the upper layer beside what we put there; content is not compared. */
export const countUpper = async (upper: string, manifest: Manifest): Promise<number> => {
  const ours = new Set([
    ...manifest.hidden.map((entry) => entry.path),
    ...manifest.placed.map((entry) => entry.path),
  ]);
  let count = 0;
  const folders = [''];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let listing;
    try {
      listing = await opendir(join(upper, folder));
    } catch (problem) {
      // Removed, replaced or closed by the session in this moment; the next count sees.
      if (folder !== '' || (await lstat(upper).catch(() => undefined)) === undefined) continue;
      throw problem;
    }
    for await (const entry of listing) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) folders.push(path);
      else if (!ours.has(path)) count += 1;
      if (count >= MAX_COUNTED_CHANGES) return count;
    }
  }
  return count;
};
