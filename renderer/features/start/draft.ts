import type {
  AssistantInfo,
  AssistantName,
  CredentialSummary,
  HostStatus,
  Limits,
  NetworkDefault,
  Preset,
  ProjectInspection,
  StartRequest,
  WorkspaceMode,
} from '../../../app/contract/index.ts';

/** Whether one credential goes along, and for which hosts where the user changed them. */
export type GrantDraft = {
  readonly on: boolean;
  readonly hosts: readonly string[] | undefined;
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
      const hosts = draft.grants[name]?.hosts;
      return hosts === undefined ? { credential: name } : { credential: name, hosts: [...hosts] };
    }),
  network: {
    default: draft.network,
    presets: [...draft.presets],
    allow: [...draft.allow],
    deny: [],
    resolve: [],
  },
  limits: draft.limits ?? defaultLimits(host),
  hide: { add: [...draft.hide], show: [...draft.show] },
  ...(draft.title.trim() === '' ? {} : { title: draft.title.trim() }),
});
