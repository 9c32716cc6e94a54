import { LineCounter, parseDocument, isMap, isNode, isScalar, type Document } from 'yaml';
import { z } from 'zod';
import {
  GitRuleText,
  HostRuleText,
  Limits,
  NetworkDefault,
  Preset,
  ProjectPath,
  ResolveText,
  type GrantRequest,
} from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import { parseGitRule } from './git-rule.ts';
import { MAX_GRANT_CHARS, parseGrant } from './grant-text.ts';
import { parseHostRule } from './host-rule.ts';
import { parseDuration, parseSize } from './quantity.ts';
import { parseResolve } from './resolve.ts';

/** Most characters of a policy file. */
export const MAX_POLICY_FILE_CHARS = 262_144;
/** Most rules in one list of a policy file. */
export const MAX_POLICY_RULES = 512;

/** Passes a text's own parser over it, so that a wrong rule is found with its line. */
const checkedBy =
  (parse: (text: string) => Result<unknown>) =>
  (text: string, context: z.core.$RefinementCtx<string>): void => {
    const parsed = parse(text);
    if (!parsed.ok) {
      const { message, hint } = parsed.error;
      context.addIssue({
        code: 'custom',
        message: hint === undefined ? message : `${message} ${hint}`,
      });
    }
  };

const distinct = (items: readonly unknown[]): boolean =>
  new Set(items.map((item) => JSON.stringify(item))).size === items.length;

const list = <T extends z.ZodType>(item: T, max: number) =>
  z.array(item).max(max).refine(distinct, 'has the same entry twice');

const HostRules = list(HostRuleText.superRefine(checkedBy(parseHostRule)), MAX_POLICY_RULES);

/** The grammar of a policy file, as its author writes it. */
const PolicyFileText = z.strictObject({
  version: z.literal(1),
  default: NetworkDefault.optional(),
  presets: list(Preset, 8).optional(),
  allow: HostRules.optional(),
  deny: HostRules.optional(),
  'pass-through': HostRules.optional().describe('hosts whose TLS is passed on unopened'),
  git: list(GitRuleText.superRefine(checkedBy(parseGitRule)), MAX_POLICY_RULES)
    .optional()
    .describe('allow|deny|ask fetch|push HOST[:PORT]/REPOSITORY [branch BRANCH], one a line'),
  grants: list(z.string().max(MAX_GRANT_CHARS).superRefine(checkedBy(parseGrant)), 64)
    .optional()
    .describe(
      'CREDENTIAL[@HOST[:PORT],…] [methods=GET,POST] [path=/v1/*] [site=bearer], one a line',
    ),
  resolve: list(ResolveText.superRefine(checkedBy(parseResolve)), 64).optional(),
  limits: z
    .strictObject({
      memory: z.string().max(32).superRefine(checkedBy(parseSize)).optional(),
      cpus: Limits.shape.cpus,
      pids: Limits.shape.pids,
      ttl: z.string().max(64).superRefine(checkedBy(parseDuration)).optional(),
    })
    .optional(),
  hide: z
    .strictObject({
      add: list(ProjectPath, 1000).optional(),
      show: list(ProjectPath, 1000).optional(),
    })
    .optional(),
});

/** A policy file's content, in the contract's terms. A project's own file only requests what it says. */
export type PolicyFile = {
  readonly default: NetworkDefault | undefined;
  readonly presets: readonly Preset[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly passThrough: readonly string[];
  readonly git: readonly string[];
  readonly grants: readonly GrantRequest[];
  readonly resolve: readonly string[];
  readonly limits: Limits;
  readonly hide: { readonly add: readonly string[]; readonly show: readonly string[] };
};

/** JSON Schema (2020-12) of the file, for editors. What only a parser can tell (host rules) it does not tell. */
export const policyFileSchema = (): Record<string, unknown> => ({
  ...z.toJSONSchema(PolicyFileText, { io: 'input', unrepresentable: 'throw' }),
  title: 'Glovebox policy file',
});

type Place = { readonly line: number; readonly column: number };

/** Where a zod path stands in the text; for an unknown key, where its key stands. */
const placeOf = (
  document: Document,
  lines: LineCounter,
  path: readonly PropertyKey[],
  key: string | undefined,
): Place => {
  for (let depth = path.length; depth >= 0; depth -= 1) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (!isNode(node)) continue;
    const pair =
      key !== undefined && isMap(node)
        ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === key)
        : undefined;
    const found = isNode(pair?.key) ? pair.key : node;
    const start = found.range?.[0];
    if (start !== undefined) {
      const { line, col } = lines.linePos(start);
      return { line, column: col };
    }
  }
  return { line: 1, column: 1 };
};

const fault = (name: string, place: Place, what: string): Result<PolicyFile> =>
  fail('policy.invalid', `${name}:${place.line}:${place.column}: ${what}`);

const limitsOf = (text: z.infer<typeof PolicyFileText>['limits']): Result<Limits> => {
  const memory = text?.memory === undefined ? ok(undefined) : parseSize(text.memory);
  if (!memory.ok) return memory;
  const ttl = text?.ttl === undefined ? ok(undefined) : parseDuration(text.ttl);
  if (!ttl.ok) return ttl;
  const limits = Limits.safeParse({
    ...(memory.value === undefined ? {} : { memoryBytes: memory.value }),
    ...(text?.cpus === undefined ? {} : { cpus: text.cpus }),
    ...(text?.pids === undefined ? {} : { pids: text.pids }),
    ...(ttl.value === undefined ? {} : { ttlMs: ttl.value }),
  });
  return limits.success
    ? ok(limits.data)
    : fail('policy.invalid', 'a limit is smaller than a session can run with');
};

/**
 * Reads a policy file (YAML 1.2, so JSON too). Strict: unknown keys, duplicate keys and entries,
 * aliases, tags, further documents and anything over the caps fail with `policy.invalid`, whose
 * message begins `name:line:column:`. `name` is what the user calls the file.
 */
export const parsePolicyFile = (text: string, name: string): Result<PolicyFile> => {
  if (text.length > MAX_POLICY_FILE_CHARS) {
    return fault(
      name,
      { line: 1, column: 1 },
      `is longer than ${MAX_POLICY_FILE_CHARS} characters`,
    );
  }
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    strict: true,
    uniqueKeys: true,
    schema: 'core',
    logLevel: 'error',
    merge: false,
  });
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0]);
    return fault(name, { line, column: col }, problem.message);
  }
  let plain: unknown;
  try {
    // Aliases are not part of the grammar, and are how a small file becomes a large one.
    plain = document.toJS({ maxAliasCount: 0 });
  } catch {
    return fault(name, { line: 1, column: 1 }, 'aliases are not allowed');
  }
  const parsed = PolicyFileText.safeParse(plain);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const key = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
    const path = issue?.path ?? [];
    const where = path.length === 0 ? '' : `${path.map(String).join('.')}: `;
    const place = placeOf(document, lines, path, key);
    return fault(name, place, `${where}${issue?.message ?? 'is not a policy'}`);
  }
  const file = parsed.data;
  const limits = limitsOf(file.limits);
  if (!limits.ok) {
    return fault(name, placeOf(document, lines, ['limits'], undefined), limits.error.message);
  }
  const grants: GrantRequest[] = [];
  for (const entry of file.grants ?? []) {
    const grant = parseGrant(entry);
    if (!grant.ok)
      return fault(name, placeOf(document, lines, ['grants'], undefined), grant.error.message);
    grants.push(grant.value);
  }
  return ok({
    default: file.default,
    presets: file.presets ?? [],
    allow: file.allow ?? [],
    deny: file.deny ?? [],
    passThrough: file['pass-through'] ?? [],
    git: file.git ?? [],
    grants,
    resolve: file.resolve ?? [],
    limits: limits.value,
    hide: { add: file.hide?.add ?? [], show: file.hide?.show ?? [] },
  });
};
