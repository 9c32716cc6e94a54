import { createStore, type StoreApi } from 'zustand/vanilla';
import {
  HostPath,
  type AssistantInfo,
  type CredentialSummary,
  type FolderListing,
  type HostStatus,
  type Problem,
  type ProjectInspection,
  type SessionSummary,
} from '../../../app/contract/index.ts';
import type { WireClient } from '../../wire/index.ts';
import { EMPTY_DRAFT, startBlocks, suggestGrants, toRequest, type Draft } from './draft.ts';

export type Project =
  | { readonly type: 'none' }
  | { readonly type: 'reading'; readonly path: string }
  | { readonly type: 'failed'; readonly path: string; readonly problem: Problem }
  | { readonly type: 'ready'; readonly path: string; readonly inspection: ProjectInspection };

export type Start = {
  readonly project: Project;
  readonly recent: readonly string[] | undefined;
  readonly assistants: readonly AssistantInfo[] | undefined;
  readonly listing: FolderListing | undefined;
  readonly listingProblem: Problem | undefined;
  readonly listingPath: string | undefined;
  readonly draft: Draft;
  readonly starting: boolean;
  readonly problem: Problem | undefined;
  readonly load: () => Promise<void>;
  readonly browse: (path: string | undefined) => Promise<void>;
  readonly choose: (path: string) => Promise<void>;
  readonly leave: () => void;
  readonly edit: (change: Partial<Draft>) => void;
  /** Switches the fitting credential on once list and assistant are known. */
  readonly suggest: (
    assistant: AssistantInfo | undefined,
    credentials: readonly CredentialSummary[] | undefined,
  ) => void;
  readonly start: (
    credentials: readonly CredentialSummary[],
    host: HostStatus | undefined,
  ) => Promise<SessionSummary | undefined>;
};
export type StartStore = StoreApi<Start>;

export const inspectionOf = (project: Project): ProjectInspection | undefined =>
  project.type === 'ready' ? project.inspection : undefined;

export const createStartStore = (client: WireClient): StartStore =>
  createStore<Start>((set, get) => ({
    project: { type: 'none' },
    recent: undefined,
    assistants: undefined,
    listing: undefined,
    listingProblem: undefined,
    listingPath: undefined,
    draft: EMPTY_DRAFT,
    starting: false,
    problem: undefined,
    load: async () => {
      const [recent, assistants] = await Promise.all([
        client.call('project.recent', {}),
        client.call('assistant.list', {}),
      ]);
      set({
        recent: recent.ok ? recent.value : get().recent,
        ...(assistants.ok ? { assistants: assistants.value } : { problem: assistants.error }),
      });
    },
    browse: async (path) => {
      set({ listingPath: path });
      const answer = await client.call('folder.list', path === undefined ? {} : { path });
      // Another folder was opened meanwhile.
      if (get().listingPath !== path) return;
      if (answer.ok) {
        set({ listing: answer.value, listingProblem: undefined, listingPath: answer.value.path });
      } else set({ listingProblem: answer.error });
    },
    choose: async (path) => {
      const parsed = HostPath.safeParse(path);
      if (!parsed.success) {
        set({
          project: {
            type: 'failed',
            path,
            problem: {
              code: 'project.not-a-folder',
              message: 'The path must be absolute: it begins with “/”.',
            },
          },
        });
        return;
      }
      set({
        project: { type: 'reading', path },
        problem: undefined,
        draft: { ...get().draft, hide: [], show: [] },
      });
      const answer = await client.call('project.inspect', { path });
      const { project } = get();
      if (project.type !== 'reading' || project.path !== path) return;
      if (!answer.ok) {
        set({ project: { type: 'failed', path, problem: answer.error } });
        return;
      }
      const inspection = answer.value;
      const usable = inspection.modes.filter((mode) => mode.available);
      const { draft } = get();
      const kept = usable.find(({ mode }) => mode === draft.workspace) ?? usable[0];
      set({
        project: { type: 'ready', path: inspection.path, inspection },
        draft: { ...draft, workspace: kept?.mode ?? draft.workspace },
      });
    },
    leave: () => {
      set({ project: { type: 'none' }, problem: undefined });
    },
    edit: (change) => {
      set({ draft: { ...get().draft, ...change } });
    },
    suggest: (assistant, credentials) => {
      if (assistant === undefined || credentials === undefined) return;
      const { draft } = get();
      const grants = suggestGrants(draft, assistant, credentials);
      if (grants !== draft.grants) set({ draft: { ...draft, grants } });
    },
    start: async (credentials, host) => {
      const { project, draft, starting } = get();
      const inspection = inspectionOf(project);
      if (starting || inspection === undefined) return undefined;
      if (startBlocks(draft, inspection, credentials, host).length > 0) return undefined;
      set({ starting: true, problem: undefined });
      const request = toRequest(draft, inspection.path, credentials, host);
      const answer = await client.call('session.start', request);
      set({ starting: false });
      if (!answer.ok) {
        set({ problem: answer.error });
        return undefined;
      }
      // The next session in this project begins from the same choices, under a new name.
      set({ draft: { ...get().draft, title: '' } });
      return answer.value;
    },
  }));
