import { fail, ok, type Result } from '../kit/index.ts';
import type { CredentialSummary, GrantRequest } from '../contract/index.ts';
import { kindInfo, mintParts } from './credential-kind.ts';
import type { GrantPart } from './grant-part.ts';
import { formatSite, type InjectionSite } from './injection-site.ts';
import type { SecretShape } from './kind-table.ts';
import { parseHostRule, type HostRule } from './host-rule.ts';
import { parsePathPattern, type PathPattern } from './path-pattern.ts';

/** What narrows a grant beside its hosts; absent means no narrowing. */
export type GrantScope = {
  /** Upper case. */
  readonly methods?: readonly string[] | undefined;
  readonly paths?: readonly PathPattern[] | undefined;
};

/** A credential file that clients need inside. It holds placeholders only. */
export type GrantFile = {
  /** A plain file name, unique in the session. */
  readonly name: string;
  readonly content: string;
  /** Variables inside the sandbox that hold the file's path. */
  readonly env: readonly string[];
};

/** Permission to use one credential in this session. The placeholders are what the sandbox holds. */
export type CredentialGrant = {
  readonly credential: string;
  readonly kind: string;
  readonly hosts: readonly HostRule[];
  readonly sites: readonly InjectionSite[];
  readonly scope: GrantScope;
  /** The first part's placeholder and variables. */
  readonly placeholder: string;
  readonly env: readonly string[];
  /** At least one. */
  readonly parts: readonly GrantPart[];
  readonly files: readonly GrantFile[];
};

const narrowSites = (
  { name, kind }: CredentialSummary,
  sites: readonly InjectionSite[],
  wanted: readonly string[] | undefined,
): Result<readonly InjectionSite[]> => {
  if (wanted === undefined) return ok(sites);
  const words = sites.map(formatSite);
  const strange = wanted.find((site) => !words.includes(site));
  return strange === undefined
    ? ok(sites.filter((site) => wanted.includes(formatSite(site))))
    : fail(
        'policy.refused',
        `The credential ${name} (${kind}) is never put into ${strange}.`,
        `Narrow it to one of: ${words.join(', ')}.`,
      );
};

/** Sites whose requests are no HTTP: methods and paths mean nothing there. */
const readScope = (
  { name, kind }: CredentialSummary,
  { methods, paths }: Omit<GrantRequest, 'credential' | 'hosts'>,
): Result<GrantScope> => {
  if (kind === 'postgres' && (methods !== undefined || paths !== undefined)) {
    return fail('policy.refused', `The credential ${name} (${kind}) has no methods and no paths.`);
  }
  const patterns: PathPattern[] = [];
  for (const text of paths ?? []) {
    const pattern = parsePathPattern(text);
    if (!pattern.ok) return pattern;
    patterns.push(pattern.value);
  }
  return ok({
    ...(methods === undefined ? {} : { methods }),
    ...(paths === undefined ? {} : { paths: patterns }),
  });
};

/**
 * Makes the grant of one stored credential for one session, with a fresh placeholder. `hosts`
 * narrows (or names) where it may go; absent means the credential's own. `shape` is the public
 * form its secret has (`shapeOf`), so that tools inside take the placeholder for the same sort.
 * `narrowing` leaves fewer methods, paths and sites; it never adds any.
 */
export const buildGrant = (
  summary: CredentialSummary,
  hosts: readonly string[] | undefined,
  shape: SecretShape = 'usual',
  narrowing: Omit<GrantRequest, 'credential' | 'hosts'> = {},
): Result<CredentialGrant> => {
  const info = kindInfo(summary.kind);
  if (!info.ok) return info;
  const texts = hosts ?? (summary.hosts.length > 0 ? summary.hosts : info.value.hosts);
  if (texts.length === 0) {
    return fail(
      'policy.refused',
      `The credential ${summary.name} has no host of its own.`,
      `Say where it may go: --grant ${summary.name}@HOST.`,
    );
  }
  const rules: HostRule[] = [];
  for (const text of texts) {
    const rule = parseHostRule(text);
    if (!rule.ok) {
      return fail(
        rule.error.code,
        `--grant ${summary.name}@${text}: ${rule.error.message}`,
        rule.error.hint,
      );
    }
    rules.push({ ...rule.value, port: rule.value.port ?? info.value.port });
  }
  const sites = narrowSites(summary, info.value.sites, narrowing.sites);
  if (!sites.ok) return sites;
  const scope = readScope(summary, narrowing);
  if (!scope.ok) return scope;
  const parts = mintParts(info.value, shape, summary.env);
  const [first] = parts;
  if (first === undefined) throw new Error('a grant was built without a placeholder');
  return ok({
    credential: summary.name,
    kind: summary.kind,
    hosts: rules,
    sites: sites.value,
    scope: scope.value,
    placeholder: first.placeholder,
    env: first.env,
    parts,
    files: [],
  });
};
