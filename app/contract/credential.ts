import { z } from 'zod';
import { MAX_NAME_CHARS, MAX_SECRET_CHARS } from './bounds.ts';
import { HostRuleText, Name } from './text.ts';

/** Kinds with a shape, hosts and a variable of their own. */
export const PROVIDER_KINDS = [
  'anthropic',
  'openai',
  'gemini',
  'openrouter',
  'huggingface',
  'github',
  'gitlab',
  'npm',
  'pypi',
  'cargo',
] as const;

/** Kinds whose requests the broker signs, exchanges or logs in with itself. */
export const MEDIATED_KINDS = [
  'aws',
  'google-service-account',
  'oauth-refresh',
  'postgres',
] as const;

/** Kinds that only say where a secret is put; those with a colon name the place. */
export const GENERIC_KINDS = [
  'bearer',
  'basic',
  'header:NAME',
  'query:NAME',
  'path',
  'path:PREFIX',
  'json:POINTER',
  'form:NAME',
] as const;

const NAMED_KINDS = [...PROVIDER_KINDS, ...MEDIATED_KINDS, 'bearer', 'basic', 'path'].join('|');
/** Names as header fields have them (RFC 9110 5.1), as URLs and forms need not escape them, and JSON pointers (RFC 6901). */
const PLACED_KINDS = [
  "header:[A-Za-z0-9!#$%&'*+.^_`|~-]+",
  '(?:query|form):[A-Za-z0-9$*.:@_~!()[\\]-]+',
  'path:[A-Za-z0-9._~-]+',
  'json:(?:/(?:[^~/\\u0000-\\u001f]|~[01])*)+',
].join('|');

/** A credential's kind: a provider's name, or where the secret is put (`bearer`, `query:key`, `json:/auth/token`). */
export const CredentialKind = z
  .string()
  .max(MAX_NAME_CHARS)
  .regex(
    new RegExp(`^(?:${NAMED_KINDS}|${PLACED_KINDS})$`),
    `one of ${[...PROVIDER_KINDS, ...MEDIATED_KINDS, ...GENERIC_KINDS].join(', ')}`,
  );
export type CredentialKind = z.infer<typeof CredentialKind>;

/** The name of an environment variable that holds the placeholder inside. */
export const VariableName = z
  .string()
  .max(MAX_NAME_CHARS)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'letters, digits and underscores only');

/** What the window and the command line may know of a credential. Never its value. */
export const CredentialSummary = z.strictObject({
  name: Name,
  kind: CredentialKind,
  /** Hosts it may be granted for by default. */
  hosts: z.array(HostRuleText).max(32),
  /** Variable that holds the placeholder inside. */
  env: VariableName.optional(),
  /** RFC 3339. */
  addedAt: z.string().max(32),
  rotatedAt: z.string().max(32).optional(),
});
export type CredentialSummary = z.infer<typeof CredentialSummary>;

export const CredentialInput = z.strictObject({
  name: Name,
  kind: CredentialKind,
  secret: z.string().min(1).max(MAX_SECRET_CHARS),
  /** Replaces the kind's hosts; needed for generic kinds before they can be granted without `@HOST`. */
  hosts: z.array(HostRuleText).max(32).optional(),
  env: VariableName.optional(),
});
export type CredentialInput = z.infer<typeof CredentialInput>;
