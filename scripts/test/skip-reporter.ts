import { writeFileSync } from 'node:fs';
import type { Reporter, TestModule } from 'vitest/node';

/** Writes which tests were left out and why to the file named by GLOVEBOX_SKIPPED, one JSON list. */
class SkipReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const file = process.env['GLOVEBOX_SKIPPED'];
    if (file === undefined) return;
    const skipped = modules.flatMap((module) =>
      Array.from(module.children.allTests('skipped'), (test) => {
        const result = test.result();
        const note = 'note' in result ? result.note : undefined;
        return `${test.fullName}: ${note ?? 'no reason was given'}`;
      }),
    );
    writeFileSync(file, JSON.stringify(skipped));
  }
}

// vitest takes a reporter named by its path as the module's default export.
export default SkipReporter;
