import { rmSync } from 'node:fs';
import { err, ok, type Clock, type Result } from '../kit/index.ts';
import type { AcceptReport } from '../contract/index.ts';
import { writeManifest } from './manifest.ts';
import type { WorkspaceFailure } from './port.ts';
import { asFailure, isDiskFull, markStart } from './prepare.ts';
import { removeTree } from './remove-tree.ts';
import type { AcceptAnswer, ReviewRequest } from './review.ts';
import type { SessionFolder } from './session-folder.ts';
import type { Threads } from './threads.ts';

/** Accepting is not broken off once it writes: half a change is worse than a late answer. */
const NEVER = new AbortController().signal;

/** As a normal user, overlayfs' own leftovers in `work` are root's: they hold no changes and are discard's matter. */
const leaveToDiscard = (remove: () => void): void => {
  try {
    remove();
  } catch (failure) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes((failure as NodeJS.ErrnoException).code ?? '')) {
      throw failure;
    }
  }
};

/** Brings a session's changes to the project and clears the layer; keeps it where that did not succeed, or something is held back. */
export const acceptChanges = async (
  folder: SessionFolder,
  request: ReviewRequest,
  clock: Clock,
  threads: Threads,
): Promise<Result<AcceptReport, WorkspaceFailure>> => {
  const { manifest } = request;
  try {
    const answer = await threads.call<AcceptAnswer>('accept', request, NEVER);
    if (answer.type === 'refused') return err(answer.failure);
    if (answer.type === 'stopped') {
      // What was written so far is ours and must not count as the host's change in the next try.
      try {
        const startedNs = await markStart(folder, clock, NEVER);
        await writeManifest(folder.manifest, { ...manifest, startedNs });
      } catch (failure) {
        // No room to note it: what stopped the writing is still what the user must know.
        if (!isDiskFull(failure)) throw failure;
      }
      return err(answer.failure);
    }
    if (answer.report.heldBack.length > 0) {
      // What is held back stays to be looked at: what was taken equals the project now and shows no more.
      try {
        const startedNs = await markStart(folder, clock, NEVER);
        await writeManifest(folder.manifest, { ...manifest, startedNs });
      } catch (failure) {
        if (!isDiskFull(failure)) throw failure;
      }
      return ok(answer.report);
    }
    try {
      await writeManifest(folder.manifest, { ...manifest, state: 'accepted' });
    } catch (failure) {
      if (!isDiskFull(failure)) throw failure;
      // Without one there is nothing to accept a second time; taking it away needs no room.
      rmSync(folder.manifest);
    }
    removeTree(folder.upper);
    leaveToDiscard(() => removeTree(folder.work));
    return ok(answer.report);
  } catch (failure) {
    return asFailure('accepting the session’s changes', failure);
  }
};
