import { assertNever } from '../../app/kit/index.ts';
import { useEffect, type ReactNode } from 'react';
import { CredentialSheets } from '../features/credentials/parts/sheets.tsx';
import { CredentialsPage } from '../features/credentials/view.tsx';
import { waitingCount } from '../features/sessions/store.ts';
import { Sidebar } from '../features/sessions/view.tsx';
import { StartPage } from '../features/start/view.tsx';
import { GuaranteesDialog } from '../features/status/guarantees.tsx';
import { useApp, useAppStore } from './app.ts';
import { ConnectionBanner } from './banner.tsx';
import { ErrorBoundary } from './error-boundary.tsx';
import styles from './layout.module.css';
import { Palette } from './palette.tsx';
import { SessionPage } from './session-page.tsx';
import { nextTheme } from './settings.ts';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';
import { useAction } from './shortcuts.ts';
import { ToastList } from './toast-list.tsx';

/** Moves the focus to the next pane; the way out of a terminal, which keeps Tab for itself. */
const focusNextPane = (): void => {
  const panes = Array.from(document.querySelectorAll<HTMLElement>('[data-pane]')).filter(
    (pane) => pane.offsetParent !== null,
  );
  const at = panes.findIndex((pane) => pane.contains(document.activeElement));
  const next = panes[(at + 1) % panes.length];
  // What the pane is about, before what happens to stand first in it.
  const inside =
    next?.querySelector<HTMLElement>('[data-pane-focus]') ??
    next?.querySelector<HTMLElement>(
      'textarea, button:not(:disabled), [href], input, [tabindex="0"]',
    );
  inside?.focus();
};

const Page = (): ReactNode => {
  const place = useAppStore('navigation', (state) => state.place);
  switch (place.type) {
    case 'start':
      return <StartPage />;
    case 'credentials':
      return <CredentialsPage />;
    case 'session':
      return <SessionPage key={place.id} id={place.id} pane={place.pane} />;
    default:
      return assertNever(place, 'a place');
  }
};

/** The window: the list at the left, one page beside it, and what may lie over both. */
export const Layout = (): ReactNode => {
  const { navigation, settings } = useApp();
  const place = useAppStore('navigation', (state) => state.place);
  useAction('session.new', () => {
    navigation.getState().go({ type: 'start' });
  });
  useAction('theme.cycle', () => {
    settings.setState(({ theme }) => ({ theme: nextTheme(theme) }));
  });
  useAction('screen-reader.toggle', () => {
    settings.setState(({ screenReader }) => ({ screenReader: !screenReader }));
  });
  useAction('pane.next', focusNextPane);
  const title =
    place.type === 'start'
      ? 'New session'
      : place.type === 'credentials'
        ? 'Credentials'
        : 'Session';
  const waiting = useAppStore('sessions', (state) =>
    Array.from(state.byId.values()).reduce((sum, session) => sum + waitingCount(session), 0),
  );
  useEffect(() => {
    document.title = `${waiting === 0 ? '' : `(${String(waiting)}) `}${title} · Glovebox`;
  }, [title, waiting]);

  return (
    <div className={styles.window}>
      <ConnectionBanner />
      <Sidebar />
      <main className={styles.page}>
        <ErrorBoundary key={place.type} what="This page">
          <Page />
        </ErrorBoundary>
      </main>
      <CredentialSheets />
      <GuaranteesDialog />
      <Palette />
      <ShortcutsDialog />
      <ToastList />
    </div>
  );
};
