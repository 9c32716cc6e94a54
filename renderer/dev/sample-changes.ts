import type { ChangeSet } from '../../app/contract/index.ts';

export const CHANGES: ChangeSet = {
  cut: false,
  changes: [
    {
      path: '.git/hooks/pre-commit',
      change: 'added',
      type: 'file',
      bytes: 212,
      heldBack: 'git would run it at your next commit',
    },
    {
      path: 'package.json',
      change: 'modified',
      type: 'file',
      added: 2,
      removed: 1,
      wouldRun: 'package.json scripts: “postinstall” is new',
    },
    { path: 'src/webhooks/retry.ts', change: 'modified', type: 'file', added: 61, removed: 24 },
    {
      path: 'src/webhooks/queue.ts',
      change: 'modified',
      type: 'file',
      added: 12,
      removed: 6,
      conflict: true,
    },
    { path: 'test/helpers/clock.ts', change: 'added', type: 'file', added: 48, removed: 0 },
    { path: 'test/webhooks.test.ts', change: 'modified', type: 'file', added: 25, removed: 0 },
    { path: 'docs/old/retry-notes.md', change: 'deleted', type: 'file', removed: 31 },
    { path: 'assets/diagram.png', change: 'added', type: 'file', bytes: 48_211 },
    { path: 'bin/release', change: 'mode', type: 'file', wouldRun: 'it became executable' },
  ],
};
