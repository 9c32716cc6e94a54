import { MAX_PAGE_EVENTS, type EgressDraft, type TimelineDraft } from '../contract/index.ts';
import { createEmitter } from '../kit/index.ts';

/** Most requests under way that are kept for the live view; more are still judged and recorded. */
export const MAX_OPEN_REQUESTS = MAX_PAGE_EVENTS;

/** Requests that began and have no record yet. */
export type OpenRequests = {
  readonly opened: (draft: EgressDraft) => void;
  /** Takes away what has its record now. */
  readonly recorded: (drafts: readonly TimelineDraft[]) => void;
  readonly clear: () => void;
  readonly list: () => readonly EgressDraft[];
  readonly onChange: (listener: (open: readonly EgressDraft[]) => void) => () => void;
};

export const createOpenRequests = (): OpenRequests => {
  const open = new Map<string, EgressDraft>();
  const changed = createEmitter<readonly EgressDraft[]>();
  const announce = (): void => {
    if (changed.size() > 0) changed.emit(Array.from(open.values()));
  };
  return {
    opened: (draft) => {
      if (open.size >= MAX_OPEN_REQUESTS) return;
      open.set(draft.id, draft);
      announce();
    },
    recorded: (drafts) => {
      let gone = false;
      for (const draft of drafts) {
        if (draft.kind === 'egress') gone = open.delete(draft.id) || gone;
      }
      if (gone) announce();
    },
    clear: () => {
      if (open.size === 0) return;
      open.clear();
      announce();
    },
    list: () => Array.from(open.values()),
    onChange: changed.on,
  };
};
