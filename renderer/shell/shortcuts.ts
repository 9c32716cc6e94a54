import { createContext, use, useEffect, useRef } from 'react';
import { createStore, type StoreApi } from 'zustand/vanilla';
import {
  actionOf,
  ariaCombo,
  comboOf,
  showCombo,
  type ActionId,
  type Platform,
} from './actions.ts';
import { useApp } from './app.ts';

type Handler = { readonly run: () => void };

/** Which actions can be done just now; the last view to offer one wins. */
export type Actions = {
  readonly offered: ReadonlyMap<ActionId, readonly Handler[]>;
  readonly offer: (id: ActionId, handler: Handler) => () => void;
  readonly run: (id: ActionId) => boolean;
};
export type ActionStore = StoreApi<Actions>;

export const createActions = (): ActionStore =>
  createStore<Actions>((set, get) => ({
    offered: new Map(),
    offer: (id, handler) => {
      set((state) => ({
        offered: new Map(state.offered).set(id, [...(state.offered.get(id) ?? []), handler]),
      }));
      return () => {
        set((state) => {
          const left = (state.offered.get(id) ?? []).filter((other) => other !== handler);
          const offered = new Map(state.offered);
          if (left.length === 0) offered.delete(id);
          else offered.set(id, left);
          return { offered };
        });
      };
    },
    run: (id) => {
      const handler = get().offered.get(id)?.at(-1);
      handler?.run();
      return handler !== undefined;
    },
  }));

export const ActionsContext = createContext<ActionStore | undefined>(undefined);

export const useActions = (): ActionStore => {
  const store = use(ActionsContext);
  if (store === undefined) throw new Error('a view stands outside the app');
  return store;
};

/** Offers an action while the view is there and `enabled`. */
export const useAction = (id: ActionId, run: () => void, enabled = true): void => {
  const store = useActions();
  const latest = useRef(run);
  useEffect(() => {
    latest.current = run;
  });
  useEffect(() => {
    if (!enabled) return undefined;
    return store.getState().offer(id, {
      run: () => {
        latest.current();
      },
    });
  }, [store, id, enabled]);
};

/** The key of an action, as it is shown and as it is read out. */
export const useKeys = (
  id: ActionId,
): { readonly keys: string; readonly 'aria-keyshortcuts': string } => {
  const { platform } = useApp();
  const combo = comboOf(id, platform);
  return { keys: showCombo(combo, platform), 'aria-keyshortcuts': ariaCombo(combo) };
};

const typingIn = (target: EventTarget | null): 'no' | 'field' | 'terminal' => {
  if (!(target instanceof Element)) return 'no';
  if (target.closest('.xterm') !== null) return 'terminal';
  return target.closest('input, textarea, select, [contenteditable]') === null ? 'no' : 'field';
};

/** Listens for the keys of all actions, before a terminal sees them. */
export const listenForKeys = (
  page: Window,
  store: ActionStore,
  platform: Platform,
): (() => void) => {
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    const typing = typingIn(event.target);
    const id = actionOf(event, typing, platform);
    if (id === undefined) return;
    // A sheet over the window has the keys to itself; only the palette can be closed by its own key.
    if (page.document.querySelector('[data-modal]') !== null && id !== 'palette') return;
    if (!store.getState().run(id)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  page.addEventListener('keydown', onKeyDown, { capture: true });
  return () => {
    page.removeEventListener('keydown', onKeyDown, { capture: true });
  };
};
