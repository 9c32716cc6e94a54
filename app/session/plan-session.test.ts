import { describe, expect, it } from 'vitest';
import type { CredentialSummary, StartRequest } from '../contract/index.ts';
import { ok, Secret, unwrap } from '../kit/index.ts';
import { planDrafts, planSession, summarise } from './plan-session.ts';

const SECRET = 'glpat-canary-canary-canary';
const summary: CredentialSummary = { name: 'work', kind: 'gitlab', hosts: [], addedAt: '' };
const vault = { reveal: () => Promise.resolve(ok({ summary, secret: new Secret(SECRET) })) };
const plan = (grants: StartRequest['grants'], network: Partial<StartRequest['network']> = {}) =>
  planSession(vault, {
    assistant: 'shell',
    grants,
    network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [], ...network },
  });

describe('the plan of a session', () => {
  it('narrows grants as they ask, and says so', async () => {
    const narrowed = unwrap(
      await plan([
        {
          credential: 'work',
          hosts: ['gitlab.com'],
          methods: ['GET'],
          paths: ['/api/**'],
          sites: ['bearer'],
        },
      ]),
    );
    const [credential] = narrowed.credentials;
    expect(credential?.grant.scope).toEqual({ methods: ['GET'], paths: ['/api/**'] });
    expect(credential === undefined ? undefined : summarise(credential.grant)).toEqual({
      credential: 'work',
      kind: 'gitlab',
      hosts: ['gitlab.com'],
      methods: ['GET'],
      paths: ['/api/**'],
      sites: ['bearer'],
    });
    const [policy] = planDrafts(narrowed, '');
    expect(policy).toMatchObject({
      rules: ['default deny', 'grant work@gitlab.com methods=GET path=/api/** site=bearer'],
    });
    expect(JSON.stringify(policy)).not.toContain('canary');
  });

  it('does not speak of what was not narrowed', async () => {
    const whole = unwrap(await plan([{ credential: 'work' }]));
    expect(planDrafts(whole, '')[0]).toMatchObject({
      rules: ['default deny', 'grant work@gitlab.com:443'],
    });
  });

  it.each([['gitlab.com'], ['*.gitlab.com', 'sub.gitlab.com']])(
    'refuses a grant for what it would pass through (%s)',
    async (through, host = 'gitlab.com') => {
      const refused = await plan([{ credential: 'work', hosts: [host] }], {
        passThrough: [through],
      });
      expect(refused).toMatchObject({ ok: false, error: { code: 'policy.refused' } });
      expect(refused.ok ? '' : refused.error.message).toContain('passed through');
    },
  );

  it('lets hosts be passed through that no grant names', async () => {
    const mixed = unwrap(await plan([{ credential: 'work' }], { passThrough: ['pinned.test'] }));
    expect(mixed.network.passThrough).toHaveLength(1);
  });
});

it('lets a session reach the endpoint that a grant’s tokens come from, and nothing more of it', async () => {
  const secret = JSON.stringify({
    token_uri: 'https://auth.test:8443/token',
    client_id: 'client',
    refresh_token: 'refresh-canary-0123456789',
  });
  const kept: CredentialSummary = { name: 'login', kind: 'oauth-refresh', hosts: [], addedAt: '' };
  const planned = unwrap(
    await planSession(
      { reveal: () => Promise.resolve(ok({ summary: kept, secret: new Secret(secret) })) },
      {
        assistant: 'shell',
        grants: [{ credential: 'login', hosts: ['api.test'] }],
        network: { default: 'deny', presets: [], allow: [], deny: [], resolve: [] },
      },
    ),
  );
  expect(planned.network.allow.map(({ rule, words }) => [rule.host, rule.port, words])).toEqual([
    ['api.test', undefined, 'grant login'],
    ['auth.test', 8443, 'tokens of login'],
  ]);
  expect(planned.credentials[0]?.grant.hosts.map(({ host }) => host)).toEqual(['api.test']);
  expect(JSON.stringify(planDrafts(planned, ''))).not.toContain('canary');
});
