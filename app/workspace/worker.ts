import { parentPort, workerData } from 'node:worker_threads';
import { scanFiles, type ScanRequest } from './scan-content.ts';
import { survey, type SurveyRequest } from './survey.ts';

/** What the room's worker threads can do. Input and output are plain data. */
type Task =
  | { readonly task: 'survey'; readonly input: SurveyRequest }
  | { readonly task: 'scan'; readonly input: ScanRequest };

const run = async (work: Task): Promise<unknown> => {
  switch (work.task) {
    case 'survey':
      return survey(work.input);
    case 'scan':
      return scanFiles(work.input);
  }
};

parentPort?.postMessage(await run(workerData as Task));
