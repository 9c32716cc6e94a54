import { describe, expect, it } from 'vitest';
import { fail, ok, Secret, systemClock, unwrap } from '../kit/index.ts';
import { buildGrant, buildNetworkPolicy } from '../policy/index.ts';
import type { SessionPlan } from './plan-session.ts';
import { orderWatch, type WatchDeps } from './watch-values.ts';

const summary = (name: string) => ({
  name,
  kind: 'bearer',
  hosts: ['api.test'],
  addedAt: '2026-01-01T00:00:00Z',
});
const SECRETS: Readonly<Record<string, string>> = {
  work: 'granted-secret-0123',
  home: 'other-secret-4567',
  locked: '',
};
const deps = (over: Partial<WatchDeps> = {}): WatchDeps => ({
  clock: systemClock,
  vault: {
    list: async () => ok([summary('work'), summary('home')]),
    reveal: async (name) =>
      SECRETS[name] === ''
        ? fail('vault.locked', 'The keychain is locked.')
        : ok({ summary: summary(name), secret: new Secret(SECRETS[name] ?? '') }),
  },
  workspace: {
    hiddenValues: async () =>
      ok({
        values: [
          { path: '.env', name: 'API_KEY', value: 'granted-secret-0123', setting: false },
          { path: '.env', name: 'DB', value: 'hidden-value-9f8e7d6c', setting: true },
          { path: '.env', name: 'REGION', value: 'eu-central-1', setting: true },
        ],
        unread: [],
      }),
  },
  ...over,
});
const plan: SessionPlan = {
  network: unwrap(
    buildNetworkPolicy({ default: 'deny', presets: [], allow: [], deny: [], resolve: [] }, 'shell'),
  ),
  credentials: [
    {
      grant: unwrap(buildGrant(summary('work'), ['api.test'])),
      secret: new Secret(SECRETS['work'] ?? ''),
    },
  ],
};
const order = (from: WatchDeps) =>
  orderWatch(from, '/project', [], plan, new AbortController().signal);

describe('what a session watches for', () => {
  it('is what other credentials and hidden files hold, and where of that what is granted may go', async () => {
    const { set, gaps, words } = await order(deps());
    expect(set.owners).toEqual([
      { code: 'watch.other-credential', words: 'The credential home' },
      { code: 'watch.hidden-value', words: 'The value of API_KEY in .env', granted: ['work'] },
      { code: 'watch.hidden-value', words: 'The value of DB in .env' },
    ]);
    expect(gaps).toEqual([]);
    expect(words).toBe('watching for 3 values; 1 too plain');
    for (const value of ['other-secret-4567', 'hidden-value-9f8e7d6c'])
      expect(JSON.stringify(set)).not.toContain(value);
  });

  it('says what it could not read', async () => {
    const { vault } = deps();
    const { set, gaps } = await order(
      deps({
        vault: { ...vault, list: async () => ok([summary('locked'), summary('home')]) },
        workspace: { hiddenValues: async () => ok({ values: [], unread: ['.aws/credentials'] }) },
      }),
    );
    expect(set.owners).toHaveLength(1);
    expect(gaps).toMatchObject([
      {
        kind: 'gap',
        lost: 2,
        message: expect.stringContaining('the credential locked, .aws/credentials'),
      },
    ]);
    const none = await order(
      deps({ vault: { ...vault, list: async () => fail('vault.locked', 'no') } }),
    );
    expect(none.gaps).toMatchObject([{ lost: 1, message: expect.stringContaining('the vault') }]);
  });
});
