import type { ReactNode } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SessionId, type TimelineEvent } from '../../../../app/contract/index.ts';
import type { FoldedRow } from '../fold.ts';
import { rowWords } from '../words.ts';
import { Facts } from './facts.tsx';
import { Members } from './members.tsx';
import { RowContent } from './row.tsx';

const request = (seq: number, at: string): TimelineEvent => ({
  seq,
  at,
  session: SessionId.parse('0123456789ab'),
  kind: 'egress',
  verdict: 'allowed',
  scheme: 'https',
  method: 'GET',
  host: 'api.test',
  port: 443,
  path: '/',
  protocol: 'h2',
  inspected: true,
  bytesOut: 1,
  bytesIn: 1,
  durationMs: 1,
});

const first = request(1, '2026-11-21T22:01:02.345678Z');
const second = request(2, '2026-11-21T22:01:09.000100Z');

/** Each point in time that stands there: what is shown, and what it says to programs. */
const timesIn = (node: ReactNode): readonly (readonly [string, string])[] =>
  Array.from(
    renderToStaticMarkup(node).matchAll(/<time[^>]* dateTime="([^"]+)"[^>]*>([^<]*)<\/time>/g),
    ([, at = '', shown = '']) => [shown, at],
  );

describe('the times of the details', () => {
  beforeEach(() => {
    vi.stubEnv('TZ', 'Asia/Kathmandu');
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('are local, as those of the rows are, and know their instant in UTC', () => {
    const row: FoldedRow = { key: 1, event: first, events: [first], count: 1 };
    const words = rowWords(row, '/home/me/project');
    expect(timesIn(<RowContent words={words} at={first.at} />)).toEqual([['03:46:02', first.at]]);
    expect(timesIn(<Facts event={first} />)).toEqual([['2026-11-22 03:46:02.345', first.at]]);
    expect(renderToStaticMarkup(<Facts event={first} />)).toContain(
      `title="2026-11-22 03:46:02.345 local time, ${first.at} in UTC"`,
    );
  });

  it('are so for each request of a folded row, too', () => {
    expect(timesIn(<Members events={[first, second]} project="/p" />)).toEqual([
      ['03:46:02.345', first.at],
      ['03:46:09.000', second.at],
    ]);
    expect(renderToStaticMarkup(<Members events={[first]} project="/p" />)).toBe('');
  });
});
