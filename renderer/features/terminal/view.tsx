import { useState, type ReactNode } from 'react';
import type { SessionSummary, TerminalId } from '../../../app/contract/index.ts';
import { useApp } from '../../shell/app.ts';
import { useAction, useKeys } from '../../shell/shortcuts.ts';
import { IconButton } from '../../ui/button.tsx';
import { cx } from '../../ui/class-names.ts';
import { HostileText } from '../../ui/hostile-text.tsx';
import { IconPlus } from '../../ui/icons.ts';
import { Waiting } from '../../ui/notice.tsx';
import { TerminalPane } from './parts/pane.tsx';
import styles from './view.module.css';

/** Until the real size is known. */
const FIRST_SIZE = { columns: 100, rows: 30 } as const;

/** The terminals of a session, one shown at a time. */
export const TerminalView = ({
  session,
  shown,
}: {
  readonly session: SessionSummary;
  readonly shown: boolean;
}): ReactNode => {
  const { client, toasts } = useApp();
  const [chosen, setChosen] = useState<TerminalId | undefined>();
  const [opening, setOpening] = useState(false);
  const { terminals } = session;
  const current = terminals.find(({ id }) => id === chosen) ?? terminals[0];
  const canOpen = session.state === 'running' && session.owned;
  const shellKeys = useKeys('terminal.shell');

  const openShell = async (): Promise<void> => {
    if (opening) return;
    setOpening(true);
    const answer = await client.call('terminal.open', { session: session.id, size: FIRST_SIZE });
    setOpening(false);
    if (answer.ok) setChosen(answer.value.terminal);
    else toasts.getState().report('Opening a shell failed', answer.error);
  };
  useAction('terminal.shell', () => void openShell(), canOpen);
  useAction(
    'terminal.next',
    () => {
      const at = terminals.findIndex(({ id }) => id === current?.id);
      setChosen(terminals[(at + 1) % terminals.length]?.id);
    },
    terminals.length > 1,
  );

  return (
    <>
      <div className={styles.tabs}>
        <div role="tablist" aria-label="Terminals" className={styles.list}>
          {terminals.map((terminal) => (
            <button
              key={terminal.id}
              type="button"
              role="tab"
              id={`tab-${terminal.id}`}
              aria-selected={terminal.id === current?.id}
              aria-controls={`terminal-${terminal.id}`}
              tabIndex={terminal.id === current?.id ? 0 : -1}
              className={cx(styles.tab, terminal.id === current?.id && styles.on)}
              data-testid="terminal-tab"
              data-terminal={terminal.id}
              onClick={() => {
                setChosen(terminal.id);
              }}
              onKeyDown={(event) => {
                if (event.key !== 'ArrowRight' && event.key !== 'ArrowLeft') return;
                const at = terminals.findIndex(({ id }) => id === terminal.id);
                const by = event.key === 'ArrowRight' ? 1 : -1;
                const next = terminals[(at + by + terminals.length) % terminals.length];
                if (next === undefined) return;
                setChosen(next.id);
                document.getElementById(`tab-${next.id}`)?.focus();
              }}
            >
              <span className={styles.tabTitle}>
                <HostileText>{terminal.title}</HostileText>
              </span>
              {terminal.exitCode !== undefined && (
                <span className={styles.exit}>ended {terminal.exitCode}</span>
              )}
            </button>
          ))}
        </div>
        <IconButton
          label="Open a shell in the sandbox"
          keys={shellKeys.keys}
          disabled={!canOpen || opening}
          data-testid="open-shell"
          onClick={() => void openShell()}
        >
          <IconPlus size={14} />
        </IconButton>
      </div>
      {terminals.length === 0 && (
        <div className={styles.none}>
          <Waiting>The terminal is being opened</Waiting>
        </div>
      )}
      {terminals.map((terminal) => (
        <TerminalPane
          key={terminal.id}
          session={session}
          terminal={terminal}
          shown={shown && terminal.id === current?.id}
        />
      ))}
    </>
  );
};
