import { parentPort } from 'node:worker_threads';
import { assertNever } from '../kit/index.ts';
import { readHiddenValues, type HiddenValuesRequest } from './hidden-values.ts';
import { acceptLayers, reviewLayers, type ReviewRequest } from './review.ts';
import { scanFiles, type ScanRequest } from './scan-content.ts';
import { survey, type SurveyRequest } from './survey.ts';
import type { ThreadAnswer } from './threads.ts';

/** What the room's threads can do. Input and output are plain data. */
type Task =
  | { readonly task: 'survey'; readonly input: SurveyRequest }
  | { readonly task: 'scan'; readonly input: ScanRequest }
  | { readonly task: 'values'; readonly input: HiddenValuesRequest }
  | { readonly task: 'review' | 'accept'; readonly input: ReviewRequest };

const run = (work: Task): unknown => {
  switch (work.task) {
    case 'survey':
      return survey(work.input);
    case 'scan':
      return scanFiles(work.input);
    case 'values':
      return readHiddenValues(work.input);
    case 'review':
      return reviewLayers(work.input);
    case 'accept':
      return acceptLayers(work.input);
    default:
      return assertNever(work, 'workspace thread');
  }
};

const answerTo = async (work: Task): Promise<ThreadAnswer> => {
  try {
    return { type: 'done', value: await run(work) };
  } catch (failure) {
    const { message, code } = failure as NodeJS.ErrnoException;
    return code === undefined ? { type: 'failed', message } : { type: 'failed', message, code };
  }
};

const serve = async (work: Task): Promise<void> => {
  const answer = await answerTo(work);
  // A thread's port has no origin: it is not a window's.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  parentPort?.postMessage(answer);
};

parentPort?.on('message', (work: Task) => {
  void serve(work);
});
