import { createContext, use } from 'react';
import { useStore } from 'zustand';
import type { SessionId } from '../../app/contract/index.ts';
import type { Clock, Scope } from '../../app/kit/index.ts';
import { createCredentialsStore, type CredentialsStore } from '../features/credentials/store.ts';
import { createReviewStore, type ReviewStore } from '../features/review/store.ts';
import { createSessionsStore, type SessionsStore } from '../features/sessions/store.ts';
import { createStartStore, type StartStore } from '../features/start/store.ts';
import { createStatusStore, type StatusStore } from '../features/status/store.ts';
import { createTimelineStore, type TimelineStore } from '../features/timeline/store.ts';
import type { WireClient } from '../wire/index.ts';
import type { Platform } from './actions.ts';
import { createNavigation, type NavigationStore } from './navigation.ts';
import { createSettings, type SettingsStore } from './settings.ts';
import { createToasts, type ToastStore } from './toasts.ts';

/** One session as the window looks at it: made when it is opened, ended when it is left. */
export type OpenSession = {
  readonly id: SessionId;
  readonly timeline: TimelineStore;
  readonly review: ReviewStore;
};

/** Everything the views share, made once. */
export type App = {
  readonly client: WireClient;
  readonly clock: Clock;
  readonly platform: Platform;
  readonly settings: SettingsStore;
  readonly navigation: NavigationStore;
  readonly toasts: ToastStore;
  readonly status: StatusStore;
  readonly sessions: SessionsStore;
  readonly credentials: CredentialsStore;
  readonly start: StartStore;
  readonly openSession: (id: SessionId, scope: Scope) => OpenSession;
};

export const createApp = (
  deps: {
    readonly client: WireClient;
    readonly clock: Clock;
    readonly platform: Platform;
    readonly page: Window;
  },
  scope: Scope,
): App => {
  const { client, clock, platform, page } = deps;
  const toasts = createToasts(clock);
  const { report, tell } = toasts.getState();
  return {
    client,
    clock,
    platform,
    toasts,
    settings: createSettings(page.localStorage),
    navigation: createNavigation(page),
    status: createStatusStore(client, scope),
    sessions: createSessionsStore({ client, report }, scope),
    credentials: createCredentialsStore(client, tell),
    start: createStartStore(client),
    openSession: (id, sessionScope) => ({
      id,
      timeline: createTimelineStore({ client, clock, report }, id, sessionScope),
      review: createReviewStore({ client, report, tell }, id),
    }),
  };
};

export const AppContext = createContext<App | undefined>(undefined);

export const useApp = (): App => {
  const app = use(AppContext);
  if (app === undefined) throw new Error('a view stands outside the app');
  return app;
};

type StoreName =
  | 'settings'
  | 'navigation'
  | 'toasts'
  | 'status'
  | 'sessions'
  | 'credentials'
  | 'start';
type StateOf<N extends StoreName> = ReturnType<App[N]['getState']>;

/** Reads from one of the app's stores and renders again when what was read changes. */
export const useAppStore = <N extends StoreName, T>(
  name: N,
  select: (state: StateOf<N>) => T,
): T => {
  const store = useApp()[name] as unknown as Parameters<typeof useStore>[0];
  return useStore(store, select as (state: unknown) => T);
};
