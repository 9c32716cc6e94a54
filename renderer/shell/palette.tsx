import { useId, useRef, useState, type ReactNode } from 'react';
import { Dialog as Base } from '@base-ui/react/dialog';
import { useStore } from 'zustand';
import { ASSISTANT_TITLES } from '../ui/words.ts';
import { cx } from '../ui/class-names.ts';
import { HostileText } from '../ui/hostile-text.tsx';
import { Kbd } from '../ui/kbd.tsx';
import { ACTION_GROUPS, ACTION_IDS, ACTIONS, comboOf, showCombo } from './actions.ts';
import { useApp, useAppStore } from './app.ts';
import styles from './palette.module.css';
import { useAction, useActions } from './shortcuts.ts';

type Entry = {
  readonly id: string;
  readonly title: string;
  readonly detail: string;
  readonly keys: string | undefined;
  readonly run: () => void;
};

const fits = (entry: Entry, query: string): boolean => {
  const text = `${entry.title} ${entry.detail}`.toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
};

/** Finds an action or a session by its words. */
export const Palette = (): ReactNode => {
  const [open, setOpen] = useState(false);
  const [query, setQuery] = useState('');
  const [at, setAt] = useState(0);
  const list = useRef<HTMLDivElement>(null);
  const id = useId();
  const { platform, navigation } = useApp();
  const actions = useActions();
  const offered = useStore(actions, (state) => state.offered);
  const byId = useAppStore('sessions', (state) => state.byId);
  useAction('palette', () => {
    setQuery('');
    setAt(0);
    setOpen((was) => !was);
  });

  const entries: Entry[] = [
    ...ACTION_GROUPS.flatMap((group) =>
      ACTION_IDS.filter(
        (action) => ACTIONS[action].group === group && offered.has(action) && action !== 'palette',
      ).map((action) => ({
        id: action,
        title: ACTIONS[action].title,
        detail: group,
        keys: showCombo(comboOf(action, platform), platform),
        run: () => {
          actions.getState().run(action);
        },
      })),
    ),
    ...Array.from(byId.values(), (session) => ({
      id: session.id,
      title: `${ASSISTANT_TITLES[session.assistant]} in ${session.projectName}`,
      detail: session.title === '' ? session.state : session.title,
      keys: undefined,
      run: () => {
        navigation.getState().go({ type: 'session', id: session.id, pane: 'work' });
      },
    })),
  ].filter((entry) => fits(entry, query));
  const current = entries[Math.min(at, entries.length - 1)];

  const run = (entry: Entry | undefined): void => {
    if (entry === undefined) return;
    setOpen(false);
    // After the sheet is gone, so that what the action opens gets the focus.
    setTimeout(entry.run, 0);
  };
  const move = (by: number): void => {
    const next = (at + by + entries.length) % Math.max(1, entries.length);
    setAt(next);
    list.current?.children[next]?.scrollIntoView({ block: 'nearest' });
  };

  return (
    <Base.Root open={open} onOpenChange={setOpen}>
      <Base.Portal>
        <Base.Backdrop className={styles.scrim} />
        <Base.Popup className={styles.popup} data-modal="" data-testid="palette">
          <Base.Title className="visually-hidden">Find an action or a session</Base.Title>
          <input
            className={styles.input}
            placeholder="Find an action or a session"
            aria-label="Find an action or a session"
            role="combobox"
            aria-expanded={entries.length > 0}
            aria-controls={`${id}-list`}
            aria-activedescendant={current === undefined ? undefined : `${id}-${current.id}`}
            spellCheck={false}
            autoComplete="off"
            value={query}
            onChange={(event) => {
              setQuery(event.target.value);
              setAt(0);
            }}
            onKeyDown={(event) => {
              if (event.key === 'ArrowDown') move(1);
              else if (event.key === 'ArrowUp') move(-1);
              else if (event.key === 'Enter') run(current);
              else return;
              event.preventDefault();
            }}
          />
          {entries.length === 0 ? (
            <p className={styles.none}>Nothing of that name here.</p>
          ) : (
            <div
              ref={list}
              id={`${id}-list`}
              className={styles.list}
              role="listbox"
              aria-label="Found"
            >
              {entries.map((entry, index) => (
                // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the field has the focus and the keys of its options
                <div
                  key={entry.id}
                  id={`${id}-${entry.id}`}
                  role="option"
                  aria-selected={entry === current}
                  className={cx(styles.entry, entry === current && styles.on)}
                  onPointerMove={() => {
                    setAt(index);
                  }}
                  onClick={() => {
                    run(entry);
                  }}
                >
                  <span className={styles.title}>
                    <HostileText>{entry.title}</HostileText>
                  </span>
                  <span className={styles.detail}>
                    <HostileText>{entry.detail}</HostileText>
                  </span>
                  {entry.keys !== undefined && <Kbd keys={entry.keys} />}
                </div>
              ))}
            </div>
          )}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
};
