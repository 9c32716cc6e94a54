import type { CredentialSummary } from '../../../app/contract/index.ts';
import { hostWords } from '../../ui/words.ts';

/** Kinds by the name a person knows. */
export const KIND_WORDS: Readonly<Record<string, string>> = {
  anthropic: 'Anthropic',
  openai: 'OpenAI',
  gemini: 'Google Gemini',
  github: 'GitHub',
  npm: 'npm',
  bearer: 'Bearer token',
  basic: 'User and password',
};

export const kindWords = (kind: string): string =>
  kind.startsWith('header:')
    ? `Header ${kind.slice('header:'.length)}`
    : (KIND_WORDS[kind] ?? kind);

/** What a grant would allow, in plain words: `any request to api.anthropic.com`. */
export const scopeWords = (credential: CredentialSummary, hosts: readonly string[]): string => {
  if (hosts.length === 0) return 'for no host yet';
  const shown = hosts.slice(0, 3).map(hostWords).join(', ');
  const more = hosts.length > 3 ? ` and ${hosts.length - 3} more` : '';
  const how = credential.kind.startsWith('header:')
    ? ` in the ${credential.kind.slice('header:'.length)} header`
    : '';
  return `any request to ${shown}${more}${how}`;
};
