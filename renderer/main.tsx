import './jitless.ts';
import '@fontsource-variable/inter/index.css';
import '@fontsource/jetbrains-mono/400.css';
import '@fontsource/jetbrains-mono/500.css';
import './ui/tokens.css';
import './ui/base.css';
import { CSPProvider } from '@base-ui/react/csp-provider';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import type { Wire } from '../app/contract/index.ts';
import { createScope, systemClock } from '../app/kit/index.ts';
import { AppContext, createApp } from './shell/app.ts';
import { ErrorBoundary } from './shell/error-boundary.tsx';
import { Layout } from './shell/layout.tsx';
import { applyTheme } from './shell/settings.ts';
import { ActionsContext, createActions, listenForKeys } from './shell/shortcuts.ts';
import { connectHost, createWireClient, isDesktop } from './wire/index.ts';

const development = import.meta.env.DEV || import.meta.env.MODE === 'fixture';

/** The real host; while developing, `?fixture=NAME` puts an in-page host with sample data in its place. */
const connect = async (): Promise<Wire> => {
  const fixture = new URL(location.href).searchParams.get('fixture');
  if (development && fixture !== null) {
    const { connectFixture } = await import('./dev/fixture-host.ts');
    return connectFixture(fixture);
  }
  return connectHost();
};

const main = (root: HTMLElement): void => {
  const scope = createScope('window');
  const client = createWireClient({ connect, clock: systemClock, check: development }, scope);
  const platform = { mac: /Mac/.test(navigator.userAgent), desktop: isDesktop() };
  const app = createApp({ client, clock: systemClock, platform, page: window }, scope);
  const actions = createActions();
  applyTheme(document.documentElement, app.settings);
  listenForKeys(window, actions, platform);
  createRoot(root).render(
    <StrictMode>
      <CSPProvider disableStyleElements>
        <AppContext value={app}>
          <ActionsContext value={actions}>
            <ErrorBoundary what="The window">
              <Layout />
            </ErrorBoundary>
          </ActionsContext>
        </AppContext>
      </CSPProvider>
    </StrictMode>,
  );
};

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no root element');
main(root);
