import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  StartRequest,
  type Code,
  type GrantRequest,
  type TerminalSize,
} from '../contract/index.ts';
import { fail, ok, type Failure, type Result } from '../kit/index.ts';
import {
  parseDuration,
  parseGrant,
  parsePolicyFile,
  parseSize,
  type PolicyFile,
} from '../policy/index.ts';
import { notYet } from './not-yet.ts';

/** The flags of `glovebox run`, as they are typed. */
export type RunFlags = {
  readonly project: string;
  readonly assistant?: string;
  readonly image?: string;
  readonly workspace: string;
  readonly grant: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  readonly passThrough: readonly string[];
  readonly default?: string;
  readonly policy?: string;
  readonly resolve: readonly string[];
  readonly dns?: string;
  readonly upstreamCa?: string;
  readonly hide: readonly string[];
  readonly show: readonly string[];
  readonly ttl?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly keep?: boolean;
  readonly timeline?: string;
  readonly quiet?: boolean;
};

type Read<T> = Result<T>;

const NO_POLICY: PolicyFile = {
  default: undefined,
  presets: [],
  allow: [],
  deny: [],
  passThrough: [],
  git: [],
  grants: [],
  resolve: [],
  limits: {},
  hide: { add: [], show: [] },
};

const inFlag = (flag: string, text: string, failure: Failure): Result<never> =>
  fail('policy.invalid', `${flag} ${text}: ${failure.message}`, failure.hint);

const readPolicy = async (path: string | undefined, folder: string): Promise<Read<PolicyFile>> => {
  if (path === undefined) return ok(NO_POLICY);
  try {
    return parsePolicyFile(await readFile(resolve(folder, path), 'utf8'), path);
  } catch (reason) {
    const why = reason instanceof Error ? reason.message : String(reason);
    return fail('policy.invalid', `The policy file ${path} cannot be read: ${why}`);
  }
};

const readGrants = (texts: readonly string[]): Read<GrantRequest[]> => {
  const grants: GrantRequest[] = [];
  for (const text of texts) {
    const grant = parseGrant(text);
    if (!grant.ok) return inFlag('--grant', text, grant.error);
    grants.push(grant.value);
  }
  return ok(grants);
};

const readLimits = (flags: RunFlags): Read<StartRequest['limits']> => {
  let limits: StartRequest['limits'] = {};
  if (flags.memory !== undefined) {
    const memory = parseSize(flags.memory);
    if (!memory.ok) return inFlag('--memory', flags.memory, memory.error);
    limits = { ...limits, memoryBytes: memory.value };
  }
  if (flags.ttl !== undefined) {
    const ttl = parseDuration(flags.ttl);
    if (!ttl.ok) return inFlag('--ttl', flags.ttl, ttl.error);
    limits = { ...limits, ttlMs: ttl.value };
  }
  if (flags.cpus !== undefined) {
    if (!/^[0-9]{1,4}(\.[0-9]{1,3})?$/.test(flags.cpus)) {
      return fail('policy.invalid', `--cpus ${flags.cpus}: that is not a number of cores.`);
    }
    limits = { ...limits, cpus: Number(flags.cpus) };
  }
  return ok(limits);
};

/** Left out where there is nothing to say. */
const optional = (key: string, list: readonly string[]): Record<string, readonly string[]> =>
  list.length === 0 ? {} : { [key]: list };

const FLAG_OF: Readonly<Record<string, string>> = {
  project: '--project',
  assistant: '--assistant',
  workspace: '--workspace',
  'network.default': '--default',
  'network.allow': '--allow',
  'network.deny': '--deny',
  'network.passThrough': '--pass-through',
  'network.resolve': '--resolve',
  'network.dns': '--dns',
  'network.upstreamCa': '--upstream-ca',
  'limits.memoryBytes': '--memory',
  'limits.cpus': '--cpus',
  'limits.ttlMs': '--ttl',
  'hide.add': '--hide',
  'hide.show': '--show',
};

/**
 * Makes the start request that the flags and the policy file ask for. Where both say something, the
 * flag wins for single values; lists add up (deny still wins over allow wherever it came from).
 */
export const toStartRequest = async (
  flags: RunFlags,
  command: readonly string[],
  around: { readonly workingFolder: string; readonly size?: TerminalSize },
): Promise<Result<StartRequest, Failure<Code>>> => {
  if (flags.image !== undefined) return notYet('image');
  if (flags.workspace === 'clone') return notYet('clone');
  const policy = await readPolicy(flags.policy, around.workingFolder);
  if (!policy.ok) return policy as Result<never, Failure<Code>>;
  const grants = readGrants(flags.grant);
  if (!grants.ok) return grants as Result<never, Failure<Code>>;
  const limits = readLimits(flags);
  if (!limits.ok) return limits as Result<never, Failure<Code>>;
  const networkDefault = flags.default ?? policy.value.default ?? 'deny';
  const absolute = (path: string): string => resolve(around.workingFolder, path);

  const parsed = StartRequest.safeParse({
    project: absolute(flags.project),
    assistant: flags.assistant ?? 'shell',
    workspace: flags.workspace,
    grants: [...policy.value.grants, ...grants.value],
    network: {
      default: networkDefault,
      presets: Array.from(new Set(['assistant', ...policy.value.presets])),
      allow: [...policy.value.allow, ...flags.allow],
      deny: [...policy.value.deny, ...flags.deny],
      ...optional('passThrough', [...policy.value.passThrough, ...flags.passThrough]),
      ...optional('git', policy.value.git),
      resolve: [...policy.value.resolve, ...flags.resolve],
      ...(flags.dns === undefined ? {} : { dns: flags.dns }),
      ...(flags.upstreamCa === undefined ? {} : { upstreamCa: absolute(flags.upstreamCa) }),
    },
    limits: { ...policy.value.limits, ...limits.value },
    hide: {
      add: [...policy.value.hide.add, ...flags.hide],
      show: [...policy.value.hide.show, ...flags.show],
    },
    ...(command.length === 0 ? {} : { command }),
    ...(around.size === undefined ? {} : { size: around.size }),
  });
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  const path = (issue?.path ?? []).filter((part) => typeof part === 'string').join('.');
  return fail('policy.invalid', `${FLAG_OF[path] ?? path}: ${issue?.message ?? 'cannot be used'}`);
};
