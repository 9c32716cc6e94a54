import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createScope } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { freshHome, glovebox, sessionsIn } from './house.ts';

const scope = createScope('broken policy');
let home: string;
let env: ReturnType<typeof freshHome>['env'];
let project: string;
let policy: string;

beforeAll(() => {
  ({ home, env } = freshHome(scope));
  project = scope.use(createTestFolder('gbx-project-')).path;
  policy = join(scope.use(createTestFolder('gbx-policy-')).path, 'policy.yml');
});
afterAll(async () => {
  await scope.close();
});

/** What is wrong, the file, where it is wrong, and a word that says what. */
const BROKEN: readonly (readonly [string, string, string, RegExp])[] = [
  [
    'YAML that does not parse',
    'version: 1\nallow: [a.example\ndeny: []\n',
    '3:1',
    /flow|comma|\]/i,
  ],
  ['a tab for indentation', 'version: 1\nlimits:\n\tcpus: 2\n', '3:1', /tab/i],
  ['a key nobody knows', 'version: 1\nalow:\n  - a.example\n', '2:1', /alow/],
  ['an unknown key deeper down', 'version: 1\nlimits:\n  cpu: 2\n', '3:3', /limits.*cpu/],
  ['a wrong type', 'version: 1\nallow: everything\n', '2:8', /allow/],
  ['a host that is none', 'version: 1\nallow:\n  - good.example\n  - "bad host"\n', '4:5', /host/i],
  ['a key twice', 'version: 1\nallow: []\nallow: []\n', '3:1', /unique/],
  ['no version', 'allow: []\n', '1:1', /version/],
  ['an unreadable duration', 'version: 1\nlimits:\n  ttl: soon\n', '3:8', /ttl/],
  ['nothing at all', '', '1:1', /object|policy/],
];

describe('a broken policy file', () => {
  it.each(BROKEN)(
    '%s: named by line and column, and nothing starts',
    async (_, text, at, words) => {
      writeFileSync(policy, text);
      const said = await glovebox(
        env,
        'run',
        '--project',
        project,
        '--policy',
        policy,
        '--',
        'echo',
        'hi',
      );
      expect(said).toMatchObject({ status: 126, out: '' });
      expect(said.err).toContain(`${policy}:${at}: `);
      expect(said.err).toMatch(words);
      expect(said.err).toContain('[policy.invalid]');
      expect(sessionsIn(home)).toEqual([]);
    },
  );

  it('one that is not there is named too', async () => {
    const said = await glovebox(
      env,
      'run',
      '--project',
      project,
      '--policy',
      `${policy}.gone`,
      '--',
      'true',
    );
    expect(said).toMatchObject({ status: 126, out: '' });
    expect(said.err).toContain(`${policy}.gone`);
    expect(said.err).toContain('[policy.invalid]');
    expect(sessionsIn(home)).toEqual([]);
  });
});
