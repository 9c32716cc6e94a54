import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  formatBytes,
  formatDuration,
  formatInstant,
  formatShortCount,
  formatSpan,
  formatWhen,
  plural,
  tidyPath,
} from './format.ts';

describe('figures in words', () => {
  it('gives bytes, durations and spans as a person would', () => {
    expect([0, 812, 1100, 8602, 31_744, 1_258_291].map(formatBytes)).toEqual([
      '0 B',
      '812 B',
      '1.1 kB',
      '8.4 kB',
      '31 kB',
      '1.2 MB',
    ]);
    expect([0.2, 96, 4200, 185_000, 120_400, 7_440_000].map(formatDuration)).toEqual([
      '<1 ms',
      '96 ms',
      '4.2 s',
      '3 min 5 s',
      '2 min',
      '2 h 4 min',
    ]);
    expect([12_000, 22 * 60_000, 98 * 60_000, 7_200_000].map(formatSpan)).toEqual([
      '12 s',
      '22 min',
      '1 h 38 min',
      '2 h',
    ]);
    expect([9_999, 12_345, 1_234_567].map(formatShortCount)).toEqual(['9,999', '12k', '1.2M']);
    expect(plural(1, 'file')).toBe('1 file');
    expect(plural(1204, 'file')).toBe('1,204 files');
  });

  it('shortens the home folder and old dates', () => {
    expect(tidyPath('/home/me/a', '/home/me')).toBe('~/a');
    expect(tidyPath('/home/meg/a', '/home/me')).toBe('/home/meg/a');
    const now = Date.parse('2026-11-21T12:00:00Z');
    expect(formatWhen('2026-11-03T12:00:00Z', now)).toBe('2026-11-03');
    expect(formatWhen('2026-11-19T12:00:00Z', now)).toBe('Thu');
  });
});

describe('points in time', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('are told in the time zone of the user, day and all', () => {
    const at = '2026-11-21T22:01:02.045678Z';
    vi.stubEnv('TZ', 'Asia/Kathmandu');
    expect(formatInstant(at)).toBe('2026-11-22 03:46:02.045');
    expect(formatWhen(at, Date.parse(at))).toBe('03:46');
    vi.stubEnv('TZ', 'UTC');
    expect(formatInstant(at)).toBe('2026-11-21 22:01:02.045');
  });
});
