import { createStore, type StoreApi } from 'zustand/vanilla';

export const THEMES = ['system', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export type Settings = {
  readonly theme: Theme;
  /** Terminals keep a text copy of the screen that screen readers can walk. */
  readonly screenReader: boolean;
  /** `auto` draws with WebGL where it can; `dom` never does (a picture that a test or a tool can read). */
  readonly terminalRenderer: 'auto' | 'dom';
};

const KEY = 'glovebox.settings';
const DEFAULTS: Settings = { theme: 'system', screenReader: false, terminalRenderer: 'auto' };

const read = (storage: Storage): Settings => {
  try {
    const saved = JSON.parse(storage.getItem(KEY) ?? '{}') as Partial<Record<string, unknown>>;
    return {
      theme: THEMES.find((theme) => theme === saved['theme']) ?? DEFAULTS.theme,
      screenReader: saved['screenReader'] === true,
      terminalRenderer: saved['terminalRenderer'] === 'dom' ? 'dom' : 'auto',
    };
  } catch {
    // What a browser keeps for us may be anything; the defaults are always right.
    return DEFAULTS;
  }
};

export type SettingsStore = StoreApi<Settings>;

/** How this window looks; kept by the browser, never sent anywhere. */
export const createSettings = (storage: Storage): SettingsStore => {
  const store = createStore<Settings>(() => read(storage));
  store.subscribe((settings) => {
    storage.setItem(KEY, JSON.stringify(settings));
  });
  return store;
};

/** Keeps the page's theme as the settings say; `system` leaves it to the browser. */
export const applyTheme = (root: HTMLElement, store: SettingsStore): (() => void) => {
  const apply = ({ theme }: Settings): void => {
    if (theme === 'system') delete root.dataset['theme'];
    else root.dataset['theme'] = theme;
  };
  apply(store.getState());
  return store.subscribe(apply);
};

export const nextTheme = (theme: Theme): Theme =>
  THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system';
