import { useVirtualizer } from '@tanstack/react-virtual';
import { useRef, useState, type ReactNode } from 'react';
import {
  ProjectPath,
  type HiddenFile,
  type ProjectInspection,
} from '../../../../app/contract/index.ts';
import { useApp, useAppStore } from '../../../shell/app.ts';
import { cx } from '../../../ui/class-names.ts';
import { formatBytes, formatCount, formatDuration, plural } from '../../../ui/format.ts';
import { escapeHostile, HostileText } from '../../../ui/hostile-text.tsx';
import { IconClose, IconHidden, IconVisible } from '../../../ui/icons.ts';
import { PathText } from '../../../ui/path-text.tsx';
import { AddInput } from './add-input.tsx';
import styles from './hidden-list.module.css';
import sectionStyles from './section.module.css';
import { Section } from './section.tsx';

const ROW_PX = 32;
/** Rows shown before the list scrolls by itself. */
const MAX_SHOWN = 8;
/** From this many on there is a field to search them. */
const FILTER_FROM = 10;

const pathProblem = (known: readonly HiddenFile[]) => (text: string) => {
  if (text.startsWith('/')) return 'A path inside the project, without “/” in front.';
  if (!ProjectPath.safeParse(text).success) return 'A path inside the project, without “..”.';
  return known.some((file) => file.path === text) ? 'That is hidden already.' : undefined;
};

/** What stays hidden, by which rule, and the user's own word on each. */
export const HiddenList = ({
  inspection,
}: {
  readonly inspection: ProjectInspection;
}): ReactNode => {
  const { start } = useApp();
  const added = useAppStore('start', (state) => state.draft.hide);
  const shown = useAppStore('start', (state) => state.draft.show);
  const [query, setQuery] = useState('');
  const list = useRef<HTMLDivElement>(null);
  const { edit } = start.getState();
  const all: readonly HiddenFile[] = [
    ...added.map((path) => ({ path, directory: false, by: 'user' as const, rule: 'added by you' })),
    ...inspection.hidden,
  ];
  const word = query.trim().toLowerCase();
  const fitting = all.filter((file) => `${file.path} ${file.rule}`.toLowerCase().includes(word));
  const visible = new Set(shown);
  const virtual = useVirtualizer({
    count: fitting.length,
    getScrollElement: () => list.current,
    estimateSize: () => ROW_PX,
    getItemKey: (index) => fitting[index]?.path ?? index,
    overscan: 6,
  });
  const toggle = (file: HiddenFile): void => {
    if (file.by === 'user') edit({ hide: added.filter((path) => path !== file.path) });
    else if (visible.has(file.path)) edit({ show: shown.filter((path) => path !== file.path) });
    else edit({ show: [...shown, file.path] });
  };
  const { scan } = inspection;
  const hiddenCount = all.length - shown.length;

  return (
    <Section
      title="What stays hidden"
      note={`${plural(hiddenCount, 'file')}, ssh-agent, cloud sign-ins`}
      testId="hidden"
    >
      <div className={sectionStyles.list}>
        {all.length >= FILTER_FROM && (
          <div className={sectionStyles.addRow}>
            <div>
              <input
                className={sectionStyles.input}
                aria-label="Find a hidden file"
                placeholder={`Find among ${formatCount(all.length)}`}
                spellCheck={false}
                autoComplete="off"
                data-testid="hidden-filter"
                value={query}
                onChange={(event) => {
                  setQuery(event.target.value);
                }}
              />
            </div>
          </div>
        )}
        {fitting.length === 0 ? (
          <p className={styles.none}>
            {all.length === 0
              ? 'No file here looks like a secret. Everything in the folder is seen.'
              : 'None of that name.'}
          </p>
        ) : (
          <div
            ref={list}
            className={styles.scroll}
            style={{ height: Math.min(fitting.length, MAX_SHOWN) * ROW_PX }}
            role="list"
            aria-label="Hidden files"
          >
            <div
              role="presentation"
              className={styles.canvas}
              style={{ height: virtual.getTotalSize() }}
            >
              {virtual.getVirtualItems().map((item) => {
                const file = fitting[item.index];
                if (file === undefined) return null;
                const seen = visible.has(file.path);
                return (
                  <div
                    key={item.key}
                    role="listitem"
                    className={cx(sectionStyles.item, styles.row)}
                    style={{ height: item.size, transform: `translateY(${item.start}px)` }}
                    data-testid="hidden-row"
                    data-path={file.path}
                    data-shown={seen}
                  >
                    <span className={seen ? styles.seen : styles.sign} aria-hidden="true">
                      {seen ? '!' : '✕'}
                    </span>
                    <PathText path={file.directory ? `${file.path}/` : file.path} />
                    <span className={styles.right}>
                      <span className={cx(sectionStyles.tag, styles.rule, seen && styles.seen)}>
                        {seen ? 'will be seen' : <HostileText>{file.rule}</HostileText>}
                      </span>
                      <button
                        type="button"
                        className={styles.toggle}
                        aria-label={
                          file.by === 'user'
                            ? `Take ${escapeHostile(file.path)} off the list`
                            : `${seen ? 'Hide' : 'Show'} ${escapeHostile(file.path)}`
                        }
                        title={
                          file.by === 'user'
                            ? 'Take off the list'
                            : seen
                              ? 'Hide it'
                              : 'Let the session see it'
                        }
                        data-testid="hidden-toggle"
                        onClick={() => {
                          toggle(file);
                        }}
                      >
                        {file.by === 'user' ? (
                          <IconClose size={13} />
                        ) : seen ? (
                          <IconHidden size={13} />
                        ) : (
                          <IconVisible size={13} />
                        )}
                      </button>
                    </span>
                  </div>
                );
              })}
            </div>
          </div>
        )}
        <AddInput
          label="Hide another path"
          placeholder="Hide another path, as notes/private.md"
          problemOf={pathProblem(all)}
          onAdd={(path) => {
            edit({ hide: [...added, path] });
          }}
          testId="hide-add"
        />
      </div>
      <p className={sectionStyles.hint}>
        Judged {plural(scan.files, 'file')} by name and searched {formatBytes(scan.bytes)} of
        content in {formatDuration(scan.durationMs)}.
        {scan.unread > 0 &&
          ` ${formatCount(scan.unread)} of them by name only: git’s objects, dependencies, media and what is too large.`}{' '}
        Decided at the start: a secret that you put here later is seen.
      </p>
    </Section>
  );
};
