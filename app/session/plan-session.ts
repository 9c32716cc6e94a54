import type { BrokerCredential } from '../broker/port.ts';
import {
  MAX_HOST_CHARS,
  type GrantRequest,
  type GrantSummary,
  type StartRequest,
  type TimelineDraft,
} from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import {
  buildGrant,
  buildNetworkPolicy,
  describeNetworkPolicy,
  exchangeHost,
  formatGrant,
  formatHostRule,
  formatSite,
  kindInfo,
  MAX_POLICY_LINES,
  overlappingRules,
  parseHostRule,
  shapeOf,
  type CredentialGrant,
  type NamedRule,
  type NetworkPolicy,
} from '../policy/index.ts';
import type { Vault } from '../vault/port.ts';
import { grantFiles } from './grant-files.ts';

/** What one session may reach, and the credentials it may use with their values: for the broker's eyes only. */
export type SessionPlan = {
  readonly network: NetworkPolicy;
  readonly credentials: readonly BrokerCredential[];
};

const revealOne = async (
  vault: Pick<Vault, 'reveal'>,
  request: GrantRequest,
): Promise<Result<BrokerCredential>> => {
  const revealed = await vault.reveal(request.credential);
  if (!revealed.ok) {
    return revealed.error.code === 'credential.not-found'
      ? fail(
          'grant.unknown',
          `No credential named ${request.credential} is stored.`,
          `Store it first: glovebox credential add ${request.credential} --kind KIND`,
        )
      : revealed;
  }
  const { summary, secret } = revealed.value;
  const { credential: _name, hosts, ...narrowing } = request;
  const shape = shapeOf(summary.kind, secret.expose());
  const grant = buildGrant(summary, hosts, shape, narrowing);
  if (!grant.ok) return grant;
  return ok({ grant: { ...grant.value, files: await grantFiles(grant.value, secret) }, secret });
};

/**
 * Reads the request into rules and grants. Only the granted credentials are taken from the vault. A
 * grant is also leave to reach its hosts: without it the grant would be of no use; deny still wins.
 */
export const planSession = async (
  vault: Pick<Vault, 'reveal'>,
  request: Pick<StartRequest, 'grants' | 'network' | 'assistant'>,
): Promise<Result<SessionPlan>> => {
  const network = buildNetworkPolicy(request.network, request.assistant);
  if (!network.ok) return network;
  const names = request.grants.map(({ credential }) => credential);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) {
    return fail(
      'policy.refused',
      `The credential ${twice} is granted twice.`,
      'Name all its hosts in one grant.',
    );
  }
  const credentials: BrokerCredential[] = [];
  const granted: NamedRule[] = [];
  for (const wanted of request.grants) {
    const credential = await revealOne(vault, wanted);
    if (!credential.ok) return credential;
    credentials.push(credential.value);
    const { grant } = credential.value;
    for (const rule of grant.hosts)
      granted.push({ rule, words: `grant ${grant.credential}`, by: 'grant' });
    const exchanged = exchangeHost(grant.kind, credential.value.secret.expose());
    if (exchanged === undefined) continue;
    const rule = parseHostRule(exchanged);
    if (!rule.ok) return rule;
    granted.push({ rule: rule.value, words: `tokens of ${grant.credential}`, by: 'grant' });
  }
  const opaque = granted.find(({ rule }) =>
    network.value.passThrough.some((other) => overlappingRules(rule, other.rule)),
  );
  if (opaque !== undefined) {
    return fail(
      'policy.refused',
      `${formatHostRule(opaque.rule)} is passed through uninspected: the ${opaque.words} could never be used there.`,
      'Leave out the grant’s host, or let the host be inspected.',
    );
  }
  return ok({
    network: { ...network.value, allow: [...network.value.allow, ...granted] },
    credentials,
  });
};

const narrowsSites = ({ kind, sites }: CredentialGrant): boolean => {
  const info = kindInfo(kind);
  return info.ok && sites.length < info.value.sites.length;
};

/** The grant as windows and records may know it: without its placeholder. */
export const summarise = (grant: CredentialGrant): GrantSummary => ({
  credential: grant.credential,
  kind: grant.kind,
  hosts: grant.hosts.map(formatHostRule),
  ...(grant.scope.methods === undefined ? {} : { methods: [...grant.scope.methods] }),
  ...(grant.scope.paths === undefined ? {} : { paths: [...grant.scope.paths] }),
  ...(narrowsSites(grant) ? { sites: grant.sites.map(formatSite) } : {}),
});

/** What is in force, on the record before anything happens. */
export const planDrafts = ({ network, credentials }: SessionPlan, at: string): TimelineDraft[] => [
  {
    kind: 'policy',
    at,
    op: 'applied',
    rules: [
      ...describeNetworkPolicy(network),
      ...credentials.map(({ grant }) => `grant ${formatGrant(summarise(grant))}`),
    ].slice(0, MAX_POLICY_LINES),
  },
  ...credentials.map(({ grant }): TimelineDraft => ({
    kind: 'credential',
    at,
    op: 'granted',
    credential: grant.credential,
    host: grant.hosts.map(formatHostRule).join(', ').slice(0, MAX_HOST_CHARS),
  })),
];
