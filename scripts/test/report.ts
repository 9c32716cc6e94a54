import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What one runner counted. */
export type Report = {
  readonly passed: number;
  readonly failed: number;
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
        }),
      ),
    }),
  ),
});

const NO_REASON = 'no reason was given';

/** Reads vitest's JSON report and the list of tests left out. A file that could not be collected counts as one failure. */
export const readVitestReport = (path: string, skippedPath: string): Report => {
  const report = VitestReport.parse(JSON.parse(readFileSync(path, 'utf8')));
  const tests = report.testResults.flatMap((file) => file.assertionResults);
  const brokenFiles = report.testResults.filter(
    (file) =>
      file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  return {
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: tests.filter((test) => test.status === 'failed').length + brokenFiles.length,
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

const PlaywrightReport = z.looseObject({
  stats: z.looseObject({ expected: z.int(), unexpected: z.int(), flaky: z.int() }),
  suites: z.array(z.custom<PlaywrightSuite>((value) => typeof value === 'object')),
  errors: z.array(z.unknown()),
});

/** Reads Playwright's JSON report. A test that passed only when tried again is a failure here. */
export const readPlaywrightReport = (path: string): Report => {
  const report = PlaywrightReport.parse(JSON.parse(readFileSync(path, 'utf8')));
  return {
    passed: report.stats.expected,
    failed: report.stats.unexpected + report.stats.flaky + report.errors.length,
    skipped: report.suites.flatMap(skippedIn),
  };
};
