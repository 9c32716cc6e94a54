import { useMemo, type ReactNode } from 'react';
import { useStore } from 'zustand';
import { useApp } from '../../../shell/app.ts';
import { Button, IconButton } from '../../../ui/button.tsx';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { IconClose, IconCopy } from '../../../ui/icons.ts';
import type { TimelineStore } from '../store.ts';
import { commandWords, rowWords } from '../words.ts';
import styles from './details.module.css';
import { Facts } from './facts.tsx';
import { Members } from './members.tsx';

/** All that is known of the chosen row. */
export const Details = ({
  store,
  project,
}: {
  readonly store: TimelineStore;
  readonly project: string;
}): ReactNode => {
  const { toasts } = useApp();
  const selected = useStore(store, (state) => state.selected);
  const rows = useStore(store, (state) => state.rows);
  const filter = useStore(store, (state) => state.filter);
  const { select, setText } = store.getState();
  const row = useMemo(
    () => (selected === undefined ? undefined : rows.find(({ key }) => key === selected)),
    [rows, selected],
  );
  if (row === undefined) return null;
  const { event } = row;
  const words = rowWords(row, project);
  const program = event.program;
  const copy = (): void => {
    void navigator.clipboard.writeText(JSON.stringify(event, null, 2));
    toasts.getState().tell('The event is copied');
  };
  const narrow = (word: string): void => {
    setText(`${word.replaceAll(/\s/g, '')} ${filter.text}`);
  };
  const host =
    event.kind === 'egress' || event.kind === 'approval'
      ? event.host
      : event.kind === 'dns'
        ? event.name
        : undefined;
  const programName =
    program === undefined ? undefined : commandWords(program.command).split(' ')[0];

  return (
    <section className={styles.drawer} aria-label="Details" data-testid="timeline-details">
      <header className={styles.head}>
        <h2 className={styles.title} title={escapeHostile(words.what)}>
          <HostileText>{words.what}</HostileText>
        </h2>
        <IconButton label="Copy as JSON" data-testid="copy-event" onClick={copy}>
          <IconCopy size={14} />
        </IconButton>
        <IconButton
          label="Close details"
          keys="Esc"
          onClick={() => {
            select(undefined);
          }}
        >
          <IconClose size={14} />
        </IconButton>
      </header>
      <div className={styles.body}>
        <Facts event={event} />
        {program !== undefined && (
          <>
            <h3 className={styles.heading}>Program</h3>
            <ol className={styles.chain}>
              {[...(program.ancestors ?? [])].toReversed().map((argv, index) => (
                <li key={`${index} ${argv.join(' ')}`}>
                  <HostileText>{argv.join(' ')}</HostileText>
                </li>
              ))}
              <li className={styles.self} aria-current="true">
                <HostileText>{program.command.join(' ')}</HostileText>
                <small>pid {program.pid}</small>
              </li>
            </ol>
          </>
        )}
        <Members events={row.events} project={project} />
        <div className={styles.actions}>
          {host !== undefined && (
            <Button
              size="s"
              onClick={() => {
                narrow(`host:${host}`);
              }}
            >
              Only this host
            </Button>
          )}
          {programName !== undefined && programName !== '' && (
            <Button
              size="s"
              onClick={() => {
                narrow(`prog:${programName}`);
              }}
            >
              Only this program
            </Button>
          )}
        </div>
      </div>
    </section>
  );
};
