import type { CredentialSummary } from '../../app/contract/index.ts';
import { isoTime } from '../../app/kit/index.ts';

const DAY_MS = 86_400_000;
const daysAgo = (days: number): string => isoTime(Date.now() - days * DAY_MS);

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
    addedAt: daysAgo(3),
  })),
  {
    name: 'a-credential-with-the-longest-name-that-anyone-would-ever-give-to-one-of-them',
    kind: 'header:X-Harbor-Internal-Service-Authentication-Token',
    hosts: Array.from({ length: 9 }, (_, i) => `service-${String(i)}.internal.harbor.example:8443`),
    env: 'HARBOR_INTERNAL_SERVICE_AUTHENTICATION_TOKEN',
    addedAt: daysAgo(200),
  },
];
