import type { CredentialSummary } from '../../app/contract/index.ts';
import { ago, DAY_MS, HOUR_MS } from './sample-time.ts';

export const CREDENTIALS: readonly CredentialSummary[] = [
  {
    name: 'anthropic-work',
    kind: 'anthropic',
    hosts: ['api.anthropic.com'],
    env: 'ANTHROPIC_API_KEY',
    addedAt: ago(40 * DAY_MS),
    rotatedAt: ago(3 * DAY_MS),
  },
  {
    name: 'github-harbor',
    kind: 'github',
    hosts: ['github.com', 'api.github.com', 'codeload.github.com', 'raw.githubusercontent.com'],
    env: 'GITHUB_TOKEN',
    addedAt: ago(90 * DAY_MS),
  },
  {
    name: 'internal-search',
    kind: 'header:X-Api-Key',
    hosts: [],
    env: 'SEARCH_KEY',
    addedAt: ago(5 * HOUR_MS),
  },
  {
    name: 'npm-publish',
    kind: 'npm',
    hosts: ['registry.example'],
    env: 'NPM_TOKEN',
    addedAt: ago(2 * DAY_MS),
  },
];

/** One of each further kind, and a name that fits no line. */
export const MORE_CREDENTIALS: readonly CredentialSummary[] = [
  ...(
    [
      ['harbor-artifacts', 'aws', ['*.amazonaws.com']],
      ['harbor-warehouse', 'google-service-account', ['*.googleapis.com']],
      ['crm', 'oauth-refresh', ['api.crm.example.com', 'auth.crm.example.com']],
      ['harbor-db', 'postgres', ['db.harbor.example:5432']],
      ['deploy-hook', 'bearer', ['hooks.harbor.example']],
      ['old-registry', 'basic', ['registry.harbor.example:8443']],
      ['maps', 'query:api_key', ['maps.example.com']],
      ['chat-bot', 'path:bot', ['api.chat.example.com']],
      ['billing', 'json:/auth/client/secret~1key', ['billing.example.com']],
      ['sign-in', 'form:client_secret', ['auth.example.com']],
    ] as const
  ).map(([name, kind, hosts]) => ({
    name,
    kind,
    hosts: [...hosts],
    ...(name === 'maps' || name === 'chat-bot'
      ? { env: `${name.toUpperCase().replace('-', '_')}_KEY` }
      : {}),
    addedAt: ago(3 * DAY_MS),
  })),
  {
    name: 'a-credential-with-the-longest-name-that-anyone-would-ever-give-to-one-of-them',
    kind: 'header:X-Harbor-Internal-Service-Authentication-Token',
    hosts: Array.from({ length: 9 }, (_, i) => `service-${String(i)}.internal.harbor.example:8443`),
    env: 'HARBOR_INTERNAL_SERVICE_AUTHENTICATION_TOKEN',
    addedAt: ago(200 * DAY_MS),
  },
];
