import { defineConfig } from 'vitest/config';

const everywhere = [
  'app/**',
  'renderer/**',
  'sandbox-images/**',
  'e2e/**',
  'scripts/**',
  'bench/**',
  'fuzz/**',
];
const suffixed = (suffix: string): string[] => everywhere.map((folder) => `${folder}/*${suffix}`);

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: ['scripts/test/property-seed.ts'],
          include: [...suffixed('.test.ts'), ...suffixed('.test.tsx')],
          exclude: [
            '**/node_modules/**',
            ...suffixed('.engine.test.ts'),
            ...suffixed('.db.test.ts').map((p) => `!${p}`),
          ],
          // What hangs is found in the end; a busy machine with two cores is no reason to fail.
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: { poll: { timeout: 10_000 } },
        },
      },
      {
        test: {
          name: 'engine',
          setupFiles: ['scripts/test/property-seed.ts'],
          // Real containers: one file at a time, so that a small machine is not asked for too much at once.
          include: suffixed('.engine.test.ts'),
          fileParallelism: false,
          testTimeout: 180_000,
          hookTimeout: 900_000,
          expect: { poll: { timeout: 30_000 } },
        },
      },
    ],
  },
});
