import { useEffect, useRef, useState, type ReactNode } from 'react';
import '@xterm/xterm/css/xterm.css';
import type { Problem, SessionSummary, TerminalSummary } from '../../../../app/contract/index.ts';
import { createScope } from '../../../../app/kit/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { useAction } from '../../../shell/shortcuts.ts';
import { cx } from '../../../ui/class-names.ts';
import { HostileText } from '../../../ui/hostile-text.tsx';
import { ProblemNotice } from '../../../ui/notice.tsx';
import { createTerminalLink, type TerminalLink } from '../link.ts';
import { createWidget, type Widget } from '../widget.ts';
import { LinkDialog } from './link-dialog.tsx';
import styles from './pane.module.css';
import { SearchBar } from './search-bar.tsx';

type State =
  | { readonly type: 'opening' | 'live' }
  | { readonly type: 'ended'; readonly exitCode: number; readonly message: string | undefined }
  | { readonly type: 'failed'; readonly problem: Problem };

/** One terminal: the widget, and what has to be said about it. */
export const TerminalPane = ({
  session,
  terminal,
  shown,
}: {
  readonly session: SessionSummary;
  readonly terminal: TerminalSummary;
  readonly shown: boolean;
}): ReactNode => {
  const { client, clock, platform, settings } = useApp();
  const screen = useRef<HTMLDivElement>(null);
  const [widget, setWidget] = useState<Widget | undefined>();
  const [state, setState] = useState<State>({ type: 'opening' });
  const [link, setLink] = useState<string | undefined>();
  const [hovered, setHovered] = useState<string | undefined>();
  const [searching, setSearching] = useState(false);
  const screenReader = useAppStore('settings', (settings_) => settings_.screenReader);
  const sessionId = session.id;
  const terminalId = terminal.id;
  const label = `Terminal: ${terminal.title}`;

  useEffect(() => {
    const parent = screen.current;
    if (parent === null) return undefined;
    const scope = createScope(`terminal ${terminalId}`);
    let over = false;
    const open = (): void => {
      if (over) return;
      let joined: TerminalLink | undefined;
      const { screenReader: reader, terminalRenderer } = settings.getState();
      const made = createWidget(
        parent,
        { mac: platform.mac, screenReader: reader, renderer: terminalRenderer, label },
        {
          onInput: (text, encoding) => joined?.input(text, encoding),
          onSize: (size) => joined?.resize(size),
          onLink: setLink,
          onLinkHover: setHovered,
        },
        scope,
      );
      joined = createTerminalLink(
        { client, clock },
        { session: sessionId, terminal: terminalId },
        {
          write: (bytes, done) => {
            made.terminal.write(bytes, done);
          },
          reset: () => {
            made.terminal.reset();
          },
          resize: ({ columns, rows }) => {
            made.terminal.resize(columns, rows);
          },
        },
        {
          onReady: () => {
            setState((was) => (was.type === 'ended' ? was : { type: 'live' }));
            made.fit();
          },
          onExit: (exitCode, message) => {
            setState({ type: 'ended', exitCode, message });
          },
          onProblem: (problem) => {
            setState((was) => (was.type === 'ended' ? was : { type: 'failed', problem }));
          },
        },
        scope,
      );
      setWidget(made);
    };
    // The widget measures its font once, so the font comes first; without it, it goes on with another.
    void document.fonts.load("12.5px 'JetBrains Mono'").then(open, open);
    return () => {
      over = true;
      setWidget(undefined);
      void scope.close();
    };
  }, [client, clock, platform, settings, sessionId, terminalId, label]);

  useEffect(() => {
    widget?.setScreenReader(screenReader);
  }, [widget, screenReader]);
  useEffect(() => {
    const system = matchMedia('(prefers-color-scheme: dark)');
    const retheme = (): void => widget?.retheme();
    system.addEventListener('change', retheme);
    const stop = settings.subscribe(retheme);
    return () => {
      stop();
      system.removeEventListener('change', retheme);
    };
  }, [widget, settings]);
  useEffect(() => {
    if (!shown || widget === undefined) return;
    widget.fit();
    widget.terminal.focus();
  }, [shown, widget]);
  useAction(
    'terminal.search',
    () => {
      setSearching(true);
    },
    shown,
  );

  const exitCode = state.type === 'ended' ? state.exitCode : terminal.exitCode;
  return (
    <div
      id={`terminal-${terminal.id}`}
      role="tabpanel"
      aria-labelledby={`tab-${terminal.id}`}
      className={cx(styles.pane, !shown && styles.away)}
      data-testid="terminal-pane"
      data-terminal={terminal.id}
      data-state={state.type}
    >
      {searching && widget !== undefined && (
        <SearchBar
          widget={widget}
          onClose={() => {
            setSearching(false);
            widget.terminal.focus();
          }}
        />
      )}
      {state.type === 'failed' && (
        <div className={styles.notice}>
          <ProblemNotice tried="This terminal is not live" problem={state.problem} />
        </div>
      )}
      <div className={styles.frame}>
        <div ref={screen} className={styles.screen} data-testid="terminal-screen" />
      </div>
      {hovered !== undefined && (
        <p className={styles.hint}>
          <HostileText>{hovered}</HostileText>
          <span>{platform.mac ? '⌘' : 'Ctrl'} and press to open</span>
        </p>
      )}
      {exitCode !== undefined && (
        <p className={styles.ended} role="status">
          <span>The program has ended with status {exitCode}.</span>
          {state.type === 'ended' && state.message !== undefined && (
            <HostileText>{state.message}</HostileText>
          )}
        </p>
      )}
      <LinkDialog
        address={link}
        onClose={() => {
          setLink(undefined);
          widget?.terminal.focus();
        }}
      />
    </div>
  );
};
