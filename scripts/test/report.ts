import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What one runner counted. */
export type Report = {
  readonly passed: number;
  /** Name of each test that failed, or of the file that could not be collected, and its first words. */
  readonly failed: readonly string[];
  /** Name and reason of each test that was left out. */
  readonly skipped: readonly string[];
};

const VitestReport = z.looseObject({
  testResults: z.array(
    z.looseObject({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.looseObject({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

const firstLine = (words: string | undefined): string => words?.split('\n', 1)[0] ?? 'no words';

const NO_REASON = 'no reason was given';

/** Reads vitest's JSON report and the list of tests left out. A file that could not be collected counts as one failure. */
export const readVitestReport = (path: string, skippedPath: string): Report => {
  const report = VitestReport.parse(JSON.parse(readFileSync(path, 'utf8')));
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const failedTests = tests
    .filter((test) => test.status === 'failed')
    .map((test) => `${test.fullName}: ${firstLine(test.failureMessages?.[0])}`);
  const brokenFiles = report.testResults
    .filter(
      (file) =>
        file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
    )
    .map((file) => `${file.name}: ${firstLine(file.message)}`);
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: [...failedTests, ...brokenFiles],
    skipped: z.array(z.string()).parse(JSON.parse(readFileSync(skippedPath, 'utf8'))),
  };
};

type PlaywrightSuite = {
  readonly specs?: readonly {
    readonly title: string;
    readonly tests: readonly {
      readonly status: string;
      readonly annotations?: readonly { readonly type: string; readonly description?: string }[];
    }[];
  }[];
  readonly suites?: readonly PlaywrightSuite[];
};

const skippedIn = (suite: PlaywrightSuite): readonly string[] => [
  ...(suite.specs ?? []).flatMap((spec) =>
    spec.tests
      .filter((test) => test.status === 'skipped')
      .map((test) => {
        const note = test.annotations?.find((annotation) => annotation.type === 'skip');
        return `${spec.title}: ${note?.description ?? NO_REASON}`;
      }),
  ),
  ...(suite.suites ?? []).flatMap(skippedIn),
];

const UNEXPECTED: readonly string[] = ['unexpected', 'flaky'];

const failedIn = (suite: PlaywrightSuite): readonly string[] => [
  ...(suite.specs ?? []).flatMap((spec) =>
    spec.tests
      .filter((test) => UNEXPECTED.includes(test.status))
      .map((test) => `${spec.title}: ${test.status}`),
  ),
  ...(suite.suites ?? []).flatMap(failedIn),
];

const PlaywrightReport = z.looseObject({
  stats: z.looseObject({ expected: z.int() }),
  suites: z.array(z.custom<PlaywrightSuite>((value) => typeof value === 'object')),
  errors: z.array(z.looseObject({ message: z.string().optional() })),
});

/** Reads Playwright's JSON report. A test that passed only when tried again is a failure here. */
export const readPlaywrightReport = (path: string): Report => {
  const report = PlaywrightReport.parse(JSON.parse(readFileSync(path, 'utf8')));
  return {
    passed: report.stats.expected,
    failed: [
      ...report.suites.flatMap(failedIn),
      ...report.errors.map((error) => `outside of a test: ${firstLine(error.message)}`),
    ],
    skipped: report.suites.flatMap(skippedIn),
  };
};
