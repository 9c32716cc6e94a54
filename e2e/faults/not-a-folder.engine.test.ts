import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import type { Code } from '../../app/contract/index.ts';
import type { SessionHost } from '../../app/host/index.ts';
import { createScope, unwrap } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { requestFor } from '../fixtures/inside.ts';
import { freshHome, glovebox, leftoversOf, openHost } from './house.ts';

const scope = createScope('not a folder');
let host: SessionHost;
let home: string;
let env: ReturnType<typeof freshHome>['env'];
let places: Readonly<Record<string, { path: string; code: Code; words: RegExp; status: number }>>;

beforeAll(async () => {
  ({ home, env } = freshHome(scope));
  host = await openHost(scope, env);
  const { path } = scope.use(createTestFolder('gbx-odd-'));
  writeFileSync(join(path, 'file'), 'no folder\n');
  symlinkSync('nowhere', join(path, 'broken'));
  mkdirSync(join(home, 'project'));
  const missing = { code: 'project.not-a-folder', words: /does not exist/, status: 127 } as const;
  const forbidden = { code: 'project.forbidden', status: 126 } as const;
  places = {
    'a file': {
      path: join(path, 'file'),
      code: 'project.not-a-folder',
      words: /is not a folder/,
      status: 127,
    },
    'a missing path': { path: join(path, 'gone'), ...missing },
    'a broken link': { path: join(path, 'broken'), ...missing, words: /a link that leads nowhere/ },
    'the root folder': { path: '/', ...forbidden, words: /belongs to the system/ },
    'the home folder': { path: homedir(), ...forbidden, words: /system|home folder/ },
    'Glovebox’s own folder': { path: home, ...forbidden, words: /its own state/ },
    'a folder inside it': { path: join(home, 'project'), ...forbidden, words: /its own state/ },
    'a folder around it': { path: join(home, '..'), ...forbidden, words: /its own state/ },
  };
});
afterAll(async () => {
  await scope.close();
});

const NAMES = [
  'a file',
  'a missing path',
  'a broken link',
  'the root folder',
  'the home folder',
  'Glovebox’s own folder',
  'a folder inside it',
  'a folder around it',
];

describe('a project that is no project', () => {
  it.each(NAMES)('%s is refused when it is looked at and when it is started on', async (name) => {
    const place = places[name];
    if (place === undefined) throw new Error(name);
    const { path, code, words } = place;
    const looked = await host.handlers['project.inspect']({ path });
    if (looked.ok) throw new Error('it was taken for a project');
    expect(looked.error).toMatchObject({ code, message: expect.stringMatching(words) });
    expect(looked.error.hint).toMatch(/\w/);

    const { id } = unwrap(await host.handlers['session.start'](requestFor(path)));
    const over = await host.sessions.ended(id);
    expect(over).toMatchObject({
      state: 'failed',
      problem: { code, message: expect.stringMatching(words), hint: expect.stringMatching(/\w/) },
    });
    expect(over.problem?.message).toContain(path.replace(/\/[^/]*\/\.\.$/, ''));
    expect(leftoversOf(home, id)).toEqual([]);
    unwrap(await host.handlers['session.forget']({ session: id }));
  });

  it.each(NAMES)(
    '%s ends `glovebox run` with words and nothing on standard output',
    async (name) => {
      const place = places[name];
      if (place === undefined) throw new Error(name);
      const said = await glovebox(
        env,
        'run',
        '--quiet',
        '--project',
        place.path,
        '--',
        'echo',
        'hi',
      );
      expect(said).toMatchObject({ status: place.status, out: '' });
      expect(said.err).toContain(`[${place.code}]`);
      expect(said.err).toMatch(place.words);
      // What failed, and what to do; no stack.
      expect(said.err.trimEnd().split('\n')).toHaveLength(2);
    },
  );
});
