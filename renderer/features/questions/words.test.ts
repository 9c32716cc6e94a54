import { describe, expect, it } from 'vitest';
import { leftWords } from './words.ts';

describe('how long a question still stands', () => {
  it.each([
    [108_000, 'refused in 1 min 48 s'],
    [60_000, 'refused in 1 min'],
    [9_000, 'refused in 9 s'],
    [0, 'its time is up'],
  ])('%i ms: %s', (leftMs, words) => {
    expect(leftWords(leftMs)).toBe(words);
  });
});
