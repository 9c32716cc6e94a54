import type { CredentialSummary, VaultStatus } from '../../../app/contract/index.ts';
import { hostWords } from '../../ui/words.ts';

/** Kinds by the name a person knows; those that name a place without it. */
export const KIND_WORDS: Readonly<Record<string, string>> = {
  anthropic: 'Anthropic',
  openai: 'OpenAI',
  gemini: 'Google Gemini',
  openrouter: 'OpenRouter',
  huggingface: 'Hugging Face',
  github: 'GitHub',
  gitlab: 'GitLab',
  npm: 'npm',
  pypi: 'PyPI',
  cargo: 'crates.io',
  aws: 'AWS key pair',
  'google-service-account': 'Google service account',
  'oauth-refresh': 'OAuth refresh token',
  postgres: 'PostgreSQL password',
  bearer: 'Bearer token',
  basic: 'Basic password',
  header: 'Another header',
  query: 'Query parameter',
  path: 'Part of the path',
  json: 'Field of a JSON body',
  form: 'Field of a form',
};

const PLACE_WORDS: Readonly<Record<string, (name: string) => string>> = {
  header: (name) => `the ${name} header`,
  query: (name) => `the query parameter ${name}`,
  path: (name) => `the path behind ${name}`,
  json: (name) => `the JSON field ${name}`,
  form: (name) => `the form field ${name}`,
};

/** Where a kind that names its place puts the secret; undefined for the others. */
const placeWords = (kind: string): string | undefined => {
  const colon = kind.indexOf(':');
  return colon < 0 ? undefined : PLACE_WORDS[kind.slice(0, colon)]?.(kind.slice(colon + 1));
};

export const kindWords = (kind: string): string => {
  const place = placeWords(kind);
  if (place === undefined) return KIND_WORDS[kind] ?? kind;
  const words = place.replace(/^the /, '');
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
};

/** Most hosts that are listed; the rest is a number. */
const MAX_HOSTS = 3;

/** The hosts of a credential in one line: `a.example, b.example, c.example and 2 more`. */
export const hostsWords = (hosts: readonly string[]): string => {
  const more = hosts.length - MAX_HOSTS;
  const shown = hosts.slice(0, MAX_HOSTS).map(hostWords).join(', ');
  return more > 0 ? `${shown} and ${String(more)} more` : shown;
};

/** What narrows a grant beside its hosts. */
export type Narrowing = {
  readonly methods?: readonly string[] | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly sites?: readonly string[] | undefined;
};

/** What a grant would allow, in plain words: `any request to api.anthropic.com`. */
export const scopeWords = (
  credential: Pick<CredentialSummary, 'kind'>,
  hosts: readonly string[],
  { methods, paths, sites }: Narrowing = {},
): string => {
  if (hosts.length === 0) return 'for no host yet';
  if (credential.kind === 'postgres') return `signing in to ${hostsWords(hosts)}`;
  const what = methods === undefined ? 'any request' : `${methods.join(', ')} requests`;
  const where = paths === undefined ? '' : ` on ${paths.join(', ')}`;
  const place = sites === undefined ? placeWords(credential.kind) : sites.join(', ');
  return `${what} to ${hostsWords(hosts)}${where}${place === undefined ? '' : ` in ${place}`}`;
};

/** What stands where no credential is known. */
type NoneWords = {
  readonly title: string;
  readonly more: string;
  /** Whether the store has to be opened before anything can be said of what is in it. */
  readonly locked: boolean;
};

/**
 * That no credential is stored; or, where the sealed file is locked, that it is and how it is opened.
 * Nothing where the keychain is locked: the notice of that says both.
 */
export const noneWords = (vault: VaultStatus | undefined): NoneWords | undefined => {
  const title = 'No credential is stored';
  if (vault?.state !== 'locked') {
    const more =
      'Store the key of your assistant’s service here once; then tick it for each session that may use it.';
    return { title, more, locked: false };
  }
  if (vault.store === 'keychain') return undefined;
  // Where nothing is amiss there is no file yet.
  return vault.problem === undefined
    ? { title, more: 'Choose a passphrase above: it makes the file for them.', locked: false }
    : {
        title: 'The sealed file is locked',
        more: 'Give its passphrase above. Until then sessions start without credentials.',
        locked: true,
      };
};
