import { z } from 'zod';
import { MAX_HOST_CHARS, MAX_NAME_CHARS, MAX_PATH_CHARS, MAX_PORT, NAME } from './bounds.ts';

/** An absolute path of the host, without NUL. */
export const HostPath = z
  .string()
  .min(1)
  .max(MAX_PATH_CHARS)
  .refine((path) => path.startsWith('/') && !path.includes('\0'), 'must be an absolute path');

/** A path relative to the project folder, `/`-separated, without NUL and without `..` parts. */
export const ProjectPath = z
  .string()
  .min(1)
  .max(MAX_PATH_CHARS)
  .refine(
    (path) => !path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..'),
    'must be a path inside the project',
  );

/** A name the user gives to a thing: letters, digits, dot, dash, underscore. */
export const Name = z
  .string()
  .min(1)
  .max(MAX_NAME_CHARS)
  .regex(NAME, 'letters, digits, dots, dashes and underscores only');

export const Port = z.int().min(1).max(MAX_PORT);

/** A host rule as the user writes it: `HOST`, `HOST:PORT`, `*.suffix`, `[v6]:PORT`. Parsed by policy. */
export const HostRuleText = z
  .string()
  .min(1)
  .max(MAX_HOST_CHARS + 8);

/** An HTTP method, upper case. */
export const MethodText = z
  .string()
  .max(32)
  .regex(/^[A-Z][A-Z-]{0,31}$/, 'not an HTTP method');

/** A pattern over paths, as `/v1/*` or `/v1/**`. Parsed by policy. */
export const PathPatternText = z.string().min(1).max(1024);

/** Where a credential is put, in the words of the generic kinds: `bearer`, `header:NAME`. Parsed by policy. */
export const SiteText = z.string().min(1).max(256);

/** `allow|deny|ask fetch|push HOST/REPOSITORY [branch BRANCH]`. Parsed by policy. */
export const GitRuleText = z.string().min(1).max(1024);

/** `HOST:PORT:ADDRESS[:PORT]`, as `--resolve` takes it. Parsed by policy. */
export const ResolveText = z
  .string()
  .min(1)
  .max(2 * MAX_HOST_CHARS);
