import { z } from 'zod';
import { HostRuleText, MAX_NAME_CHARS, MAX_SECRET_CHARS, Name } from './text.ts';

/** Kinds with a shape, hosts and a variable of their own; `bearer`, `basic` and `header:NAME` are generic. */
export const PROVIDER_KINDS = ['anthropic', 'openai', 'gemini', 'github', 'npm'] as const;

/** A credential's kind. Generic kinds say their site: `bearer`, `basic`, `header:NAME`. */
export const CredentialKind = z
  .string()
  .max(MAX_NAME_CHARS)
  .regex(
    /^(anthropic|openai|gemini|github|npm|bearer|basic|header:[A-Za-z0-9!#$%&'*+.^_`|~-]+)$/,
    'one of anthropic, openai, gemini, github, npm, bearer, basic, header:NAME',
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
