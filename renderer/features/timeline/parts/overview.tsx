import { useEffect, useRef, type ReactNode } from 'react';
import { useStore } from 'zustand';
import type { TimelineBucket } from '../../../../app/contract/index.ts';
import { useApp } from '../../../shell/app.ts';
import { readColours } from '../../../ui/colour.ts';
import { formatClock, formatTime, plural } from '../../../ui/format.ts';
import type { TimelineStore } from '../store.ts';
import styles from './overview.module.css';

const HEIGHT = 74;
const AXIS = 44;
/** Pixels of one column and the gap behind it. */
const COLUMN = 4;
/** How often the whole is fetched again while the session runs; in between it grows by itself. */
const REFRESH_MS = 30_000;

const level = (count: number, most: number, height: number): number =>
  count === 0 ? 0 : Math.max(1.5, (Math.log1p(count) / Math.log1p(most)) * height);

const drawOverview = (
  canvas: HTMLCanvasElement,
  buckets: readonly TimelineBucket[],
  width: number,
): void => {
  const scale = devicePixelRatio;
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(HEIGHT * scale);
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  const colours = readColours(['line', 'accent', 'touch', 'cred', 'deny', 'fg-2']);
  pen.scale(scale, scale);
  pen.fillStyle = colours.line;
  pen.fillRect(0, AXIS, width, 1);
  const room = Math.floor((width - 12) / COLUMN);
  const shown = buckets.slice(-room);
  const mostEgress = Math.max(1, ...shown.map((bucket) => bucket.egress));
  const mostTouches = Math.max(1, ...shown.map((bucket) => bucket.touches));
  const left = 6;
  const labelEvery = Math.max(1, Math.floor(room / 4));
  pen.font = '10px "Inter Variable", sans-serif';
  let written = '';
  for (const [index, bucket] of shown.entries()) {
    const x = left + index * COLUMN;
    const up = level(bucket.egress, mostEgress, 26);
    const down = level(bucket.touches, mostTouches, 13);
    pen.fillStyle = colours.accent;
    pen.fillRect(x, AXIS - up, COLUMN - 1, up);
    pen.globalAlpha = 0.8;
    pen.fillStyle = colours.touch;
    pen.fillRect(x, AXIS + 2, COLUMN - 1, down);
    pen.globalAlpha = 1;
    if (bucket.credentials > 0) {
      pen.fillStyle = colours.cred;
      pen.fillRect(x, 7, 3, 3);
    }
    if (bucket.blocked > 0) {
      pen.fillStyle = colours.deny;
      pen.fillRect(x + 0.5, 4, 2, AXIS + 14 - 4);
    }
    if (index % labelEvery === 0 && index + labelEvery * 0.6 < room) {
      pen.fillStyle = colours['fg-2'];
      const span = (shown.at(-1)?.from ?? 0) - (shown[0]?.from ?? 0);
      const label = span < 180_000 ? formatTime(bucket.from) : formatClock(bucket.from);
      if (label !== written) pen.fillText(label, x, 70);
      written = label;
    }
  }
};

const describe = (buckets: readonly TimelineBucket[]): string => {
  const sum = (pick: (bucket: TimelineBucket) => number): number =>
    buckets.reduce((total, bucket) => total + pick(bucket), 0);
  return `Overview: ${plural(
    sum((bucket) => bucket.egress),
    'request',
  )}, ${plural(
    sum((bucket) => bucket.touches),
    'file touch',
    'file touches',
  )}, ${sum((bucket) => bucket.credentials)} with a credential, ${sum((bucket) => bucket.blocked)} blocked`;
};

/** The whole session at a glance: requests above the line, file touches below, credentials as dots, refusals as strokes. */
export const Overview = ({
  store,
  ended,
}: {
  readonly store: TimelineStore;
  readonly ended: boolean;
}): ReactNode => {
  const canvas = useRef<HTMLCanvasElement>(null);
  const buckets = useStore(store, (state) => state.overview);
  const { settings } = useApp();
  const latest = useRef(buckets);
  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    const load = (): void => {
      const columns = Math.max(1, Math.floor((element.clientWidth - 12) / COLUMN));
      void store.getState().loadOverview(columns);
    };
    load();
    if (ended) return undefined;
    const timer = setInterval(load, REFRESH_MS);
    return () => {
      clearInterval(timer);
    };
  }, [store, ended]);

  useEffect(() => {
    const element = canvas.current;
    if (element === null) return undefined;
    latest.current = buckets;
    const draw = (): void => {
      drawOverview(element, latest.current ?? [], element.clientWidth);
    };
    draw();
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    const system = matchMedia('(prefers-color-scheme: dark)');
    system.addEventListener('change', draw);
    const stop = settings.subscribe(draw);
    return () => {
      stop();
      observer.disconnect();
      system.removeEventListener('change', draw);
    };
  }, [buckets, settings]);

  return (
    <canvas
      ref={canvas}
      className={styles.overview}
      role="img"
      aria-label={describe(buckets ?? [])}
      data-testid="timeline-overview"
    />
  );
};
