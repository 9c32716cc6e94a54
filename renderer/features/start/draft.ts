import {
  MethodText,
  PROVIDER_KINDS,
  type AssistantInfo,
  type AssistantName,
  type CredentialSummary,
  type HostStatus,
  type Limits,
  type NetworkDefault,
  type Preset,
  type ProjectInspection,
  type StartRequest,
  type WorkspaceMode,
} from '../../../app/contract/index.ts';

/** Whether one credential goes along, and for what where the user changed it. */
export type GrantDraft = {
  readonly on: boolean;
  readonly hosts: readonly string[] | undefined;
  /** Absent or empty: not narrowed. */
  readonly methods?: readonly string[];
  readonly paths?: readonly string[];
  readonly sites?: readonly string[];
  /** Switched on by us for the chosen assistant; goes when another is chosen. */
  readonly suggested?: boolean;
};

/** What the user has laid out for the next session. */
export type Draft = {
  readonly assistant: AssistantName;
  readonly workspace: WorkspaceMode;
  readonly grants: Readonly<Record<string, GrantDraft>>;
  readonly network: NetworkDefault;
  readonly presets: readonly Preset[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
  /** Hosts whose TLS is passed on unopened. */
  readonly passThrough: readonly string[];
  /** Undefined: the default for this machine. */
  readonly limits: Limits | undefined;
  readonly hide: readonly string[];
  readonly show: readonly string[];
  readonly title: string;
};

export const EMPTY_DRAFT: Draft = {
  assistant: 'claude-code',
  workspace: 'overlay',
  grants: {},
  network: 'deny',
  presets: ['assistant', 'registries'],
  allow: [],
  deny: [],
  passThrough: [],
  limits: undefined,
  hide: [],
  show: [],
  title: '',
};

const GIB = 1024 ** 3;
const HOUR_MS = 3_600_000;
/** Most memory a session gets unless the user gives it more. */
const DEFAULT_MEMORY_BYTES = 8 * GIB;

/** Half of the machine at most, and two hours. */
export const defaultLimits = (host: HostStatus | undefined): Limits => ({
  ...(host === undefined
    ? {}
    : {
        memoryBytes: Math.max(GIB, Math.min(DEFAULT_MEMORY_BYTES, floorGib(host.memoryBytes / 2))),
        cpus: Math.max(1, Math.floor(host.cores / 2)),
      }),
  ttlMs: 2 * HOUR_MS,
});

const floorGib = (bytes: number): number => Math.floor(bytes / GIB) * GIB;

/** Choices for the memory of a session on this machine, bytes. */
export const memoryChoices = (host: HostStatus | undefined): readonly number[] =>
  [1, 2, 4, 8, 16, 32, 64, 128]
    .map((gib) => gib * GIB)
    .filter((bytes) => host === undefined || bytes <= host.memoryBytes);

export const cpuChoices = (host: HostStatus | undefined): readonly number[] =>
  [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 64].filter((cpus) => host === undefined || cpus <= host.cores);

/** Choices for when a session ends by itself, milliseconds. */
export const TTL_CHOICES_MS: readonly number[] = [0.5, 1, 2, 4, 8, 24].map((h) => h * HOUR_MS);

/** What is wrong with a host rule as typed; undefined where it may stand. The host parses it again. */
export const hostRuleProblem = (text: string): string | undefined => {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return 'Only the host, without “https://”.';
  if (/[\s/?#@]/.test(text)) return 'Only a host and a port, without a path.';
  if (!/^(\*\.)?[^*]+$/.test(text)) return '“*.” may stand at the front only.';
  const port = /:(\d+)$/.exec(text)?.[1];
  if (port !== undefined && !text.endsWith(']') && (Number(port) < 1 || Number(port) > 65_535)) {
    return 'The port lies outside 1 to 65535.';
  }
  return undefined;
};

/** What is wrong with a method as typed. */
export const methodProblem = (text: string): string | undefined => {
  if (!MethodText.safeParse(text.toUpperCase()).success)
    return 'Methods are words, as GET or POST.';
  return ['TRACE', 'TRACK', 'CONNECT'].includes(text.toUpperCase())
    ? `${text.toUpperCase()} is never passed on.`
    : undefined;
};

/** What is wrong with a path pattern as typed. The host parses it again. */
export const pathProblem = (text: string): string | undefined => {
  if (!text.startsWith('/')) return 'A path begins with a slash.';
  if (/[?#]/.test(text)) return 'Only the path, without what follows “?” or “#”.';
  const parts = text.slice(1).split('/');
  if (parts.some((part) => part.includes('*') && part !== '*' && part !== '**')) {
    return 'A star stands for a whole part: * for one, ** for any number.';
  }
  return parts.some((part) => part === '.' || part === '..') ? 'No “.” or “..” parts.' : undefined;
};

/** What is wrong with a place as typed. The host knows which places a kind has. */
export const siteProblem = (text: string): string | undefined =>
  /^(?:bearer|basic|path(?::.+)?|(?:header|query|json|form):.+)$/.test(text)
    ? undefined
    : 'Write bearer, basic, header:NAME, query:NAME, path, json:POINTER or form:NAME.';

export type NarrowedBy = 'methods' | 'paths' | 'sites';

/** What can narrow a grant of that kind beside its hosts: a database knows no methods, and one place is no choice. */
export const narrowedBy = (kind: string): readonly NarrowedBy[] => {
  if (kind === 'postgres') return [];
  const several = PROVIDER_KINDS.some((provider) => provider === kind);
  return several ? ['methods', 'paths', 'sites'] : ['methods', 'paths'];
};

/** The hosts a grant would be for. */
export const hostsOf = (credential: CredentialSummary, grant: GrantDraft | undefined) =>
  grant?.hosts ?? credential.hosts;

/** Switches on the one credential that fits the assistant best, where the user has not chosen. */
export const suggestGrants = (
  draft: Draft,
  assistant: AssistantInfo | undefined,
  credentials: readonly CredentialSummary[],
): Draft['grants'] => {
  // A plain shell needs none by itself.
  const kinds = assistant?.name === 'shell' ? [] : (assistant?.kinds ?? []);
  const fitting = kinds
    .map((kind) => credentials.find((credential) => credential.kind === kind))
    .find((credential) => credential !== undefined);
  if (fitting !== undefined && draft.grants[fitting.name]?.suggested === true) return draft.grants;
  const kept = Object.entries(draft.grants).filter(([, grant]) => grant.suggested !== true);
  const own = Object.fromEntries(kept);
  if (fitting === undefined || own[fitting.name] !== undefined) {
    return kept.length === Object.keys(draft.grants).length ? draft.grants : own;
  }
  return { ...own, [fitting.name]: { on: true, hosts: undefined, suggested: true } };
};

/** What keeps the session from starting, in words, first the most important. */
export const startBlocks = (
  draft: Draft,
  inspection: ProjectInspection | undefined,
  credentials: readonly CredentialSummary[],
  host: HostStatus | undefined,
): readonly string[] => {
  const blocks: string[] = [];
  if (inspection === undefined) blocks.push('Choose a project folder first.');
  if (host !== undefined && host.engine.state !== 'ready') {
    blocks.push(host.engine.problem?.message ?? 'No container engine answers.');
  }
  const mode = inspection?.modes.find(({ mode: name }) => name === draft.workspace);
  if (mode?.available === false) {
    blocks.push(mode.reason ?? 'This kind of working copy is not available here.');
  }
  for (const credential of credentials) {
    const grant = draft.grants[credential.name];
    if (grant?.on === true && hostsOf(credential, grant).length === 0) {
      blocks.push(`Say which hosts ${credential.name} is for.`);
    }
  }
  return blocks;
};

/** The request as the host takes it. */
export const toRequest = (
  draft: Draft,
  project: string,
  credentials: readonly CredentialSummary[],
  host: HostStatus | undefined,
): StartRequest => ({
  project,
  assistant: draft.assistant,
  workspace: draft.workspace,
  grants: credentials
    .filter(({ name }) => draft.grants[name]?.on === true)
    .map(({ name }) => {
      const { hosts, methods = [], paths = [], sites = [] } = draft.grants[name] ?? {};
      return {
        credential: name,
        ...(hosts === undefined ? {} : { hosts: [...hosts] }),
        ...(methods.length === 0 ? {} : { methods: [...methods] }),
        ...(paths.length === 0 ? {} : { paths: [...paths] }),
        ...(sites.length === 0 ? {} : { sites: [...sites] }),
      };
    }),
  network: {
    default: draft.network,
    presets: [...draft.presets],
    allow: [...draft.allow],
    deny: [...draft.deny],
    ...(draft.passThrough.length === 0 ? {} : { passThrough: [...draft.passThrough] }),
    resolve: [],
  },
  limits: draft.limits ?? defaultLimits(host),
  hide: { add: [...draft.hide], show: [...draft.show] },
  ...(draft.title.trim() === '' ? {} : { title: draft.title.trim() }),
});
