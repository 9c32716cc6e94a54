import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';
import { useStore } from 'zustand';
import { formatCount } from '../../../ui/format.ts';
import { IconUp } from '../../../ui/icons.ts';
import type { FoldedRow } from '../fold.ts';
import type { TimelineStore } from '../store.ts';
import { hasReason, rowWords } from '../words.ts';
import { RowContent } from './row.tsx';
import rowStyles from './row.module.css';
import styles from './rows.module.css';

const ROW_PX = 43;
const REASON_PX = 60;
/** Scrolled less than this, the list counts as being at its top. */
const TOP_PX = 8;
/** Rows from the end at which older ones are fetched. */
const AHEAD_ROWS = 30;

const heightOf = (row: FoldedRow | undefined): number =>
  row !== undefined && hasReason(row.event) ? REASON_PX : ROW_PX;

/** The rows: only those in sight are drawn; nothing moves while they are being read. */
export const Rows = ({
  store,
  project,
}: {
  readonly store: TimelineStore;
  readonly project: string;
}): ReactNode => {
  const rows = useStore(store, (state) => state.rows);
  const waiting = useStore(store, (state) => state.waiting);
  const selected = useStore(store, (state) => state.selected);
  const loadingOlder = useStore(store, (state) => state.loadingOlder);
  const list = useRef<HTMLDivElement>(null);
  const pointerInside = useRef(false);
  const [active, setActive] = useState<number | undefined>();
  const id = useId();
  const { hold, jumpToNewest, loadOlder, select } = store.getState();

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => list.current,
    estimateSize: (index) => heightOf(rows[index]),
    getItemKey: (index) => rows[index]?.key ?? index,
    overscan: 12,
  });
  // Heights follow from what a row says; a folded list has other rows at the same places.
  useEffect(() => {
    virtual.measure();
  }, [virtual, rows]);

  const reading = (): void => {
    const scrolled = (list.current?.scrollTop ?? 0) > TOP_PX;
    hold(pointerInside.current || scrolled || selected !== undefined);
  };
  useEffect(() => {
    const scrolled = (list.current?.scrollTop ?? 0) > TOP_PX;
    hold(pointerInside.current || scrolled || selected !== undefined);
  }, [hold, selected]);
  useEffect(
    () => () => {
      hold(false);
    },
    [hold],
  );

  const items = virtual.getVirtualItems();
  const lastIndex = items.at(-1)?.index ?? 0;
  useEffect(() => {
    if (lastIndex >= rows.length - AHEAD_ROWS) void loadOlder();
  }, [lastIndex, rows.length, loadOlder]);

  const activeIndex = rows.findIndex((row) => row.key === active);
  const moveTo = (index: number): void => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row === undefined) return;
    setActive(row.key);
    if (store.getState().selected !== undefined) select(row.key);
    virtual.scrollToIndex(rows.indexOf(row), { align: 'auto' });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const page = Math.floor((list.current?.clientHeight ?? 0) / ROW_PX) - 1;
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      j: 1,
      k: -1,
      PageDown: page,
      PageUp: -page,
    };
    const step = steps[event.key];
    if (step !== undefined) moveTo(activeIndex < 0 ? 0 : activeIndex + step);
    else if (event.key === 'Home') moveTo(0);
    else if (event.key === 'End') moveTo(rows.length - 1);
    else if (event.key === 'Enter' || event.key === ' ') select(active);
    else if (event.key === 'Escape') select(undefined);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const toNewest = (): void => {
    pointerInside.current = false;
    select(undefined);
    jumpToNewest();
    list.current?.scrollTo({ top: 0 });
  };

  return (
    <div className={styles.frame}>
      {waiting > 0 && (
        <button
          type="button"
          className={styles.jump}
          data-testid="timeline-jump"
          aria-keyshortcuts="n"
          onClick={toNewest}
        >
          <IconUp size={12} aria-hidden="true" />
          {formatCount(waiting)} new
        </button>
      )}
      <div
        ref={list}
        className={styles.list}
        role="listbox"
        aria-label="Timeline, newest first"
        aria-activedescendant={activeIndex < 0 ? undefined : `${id}-${active ?? ''}`}
        tabIndex={0}
        data-pane-focus=""
        data-testid="timeline-rows"
        onKeyDown={onKeyDown}
        onScroll={reading}
        onPointerEnter={() => {
          pointerInside.current = true;
          reading();
        }}
        onPointerLeave={() => {
          pointerInside.current = false;
          reading();
        }}
        onFocus={(event) => {
          if (event.target === event.currentTarget && activeIndex < 0) setActive(rows[0]?.key);
        }}
      >
        <div
          className={styles.canvas}
          role="presentation"
          style={{ height: virtual.getTotalSize() }}
        >
          {items.map((item) => {
            const row = rows[item.index];
            if (row === undefined) return null;
            const words = rowWords(row, project);
            return (
              // oxlint-disable-next-line jsx-a11y/click-events-have-key-events -- the list has the focus and the keys of its options
              <div
                key={item.key}
                id={`${id}-${row.key}`}
                role="option"
                aria-selected={row.key === selected}
                aria-setsize={rows.length}
                aria-posinset={item.index + 1}
                className={`${rowStyles.row} ${styles.item} ${row.key === active ? styles.active : ''}`}
                style={{ height: item.size, transform: `translateY(${item.start}px)` }}
                data-testid="timeline-row"
                data-kind={row.event.kind}
                data-tone={words.tone}
                data-seq={row.event.seq}
                data-code={'code' in row.event ? row.event.code : undefined}
                onClick={() => {
                  setActive(row.key);
                  select(row.key === selected ? undefined : row.key);
                }}
              >
                <RowContent words={words} at={row.event.at} />
              </div>
            );
          })}
        </div>
        {loadingOlder && <p className={styles.older}>Reading older events</p>}
      </div>
    </div>
  );
};
