import { createStore, type StoreApi } from 'zustand/vanilla';
import { SessionId } from '../../app/contract/index.ts';

export type Place =
  | { readonly type: 'start' }
  | { readonly type: 'credentials' }
  | { readonly type: 'session'; readonly id: SessionId; readonly pane: 'work' | 'review' };

/** `#/new`, `#/credentials`, `#/session/ID`, `#/session/ID/review`; anything else is `#/new`. */
export const parsePlace = (hash: string): Place | undefined => {
  const [, first, id, pane] = hash.replace(/^#/, '').split('/');
  if (first === 'credentials') return { type: 'credentials' };
  if (first === 'new') return { type: 'start' };
  const parsed = SessionId.safeParse(id);
  if (first === 'session' && parsed.success) {
    return { type: 'session', id: parsed.data, pane: pane === 'review' ? 'review' : 'work' };
  }
  return undefined;
};

export const formatPlace = (place: Place): string => {
  if (place.type === 'start') return '#/new';
  if (place.type === 'credentials') return '#/credentials';
  return `#/session/${place.id}${place.pane === 'review' ? '/review' : ''}`;
};

export type Navigation = {
  readonly place: Place;
  readonly go: (place: Place) => void;
};
export type NavigationStore = StoreApi<Navigation>;

/** Where the user is; mirrored in the address, so that a reload and the back button keep the place. */
export const createNavigation = (page: Window): NavigationStore => {
  const store = createStore<Navigation>((set, get) => ({
    place: parsePlace(page.location.hash) ?? { type: 'start' },
    go: (place) => {
      if (formatPlace(place) === formatPlace(get().place)) return;
      page.history.pushState(null, '', formatPlace(place));
      set({ place });
    },
  }));
  page.addEventListener('popstate', () => {
    store.setState({ place: parsePlace(page.location.hash) ?? { type: 'start' } });
  });
  return store;
};
