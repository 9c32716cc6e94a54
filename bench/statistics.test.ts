import { describe, expect, it } from 'vitest';
import { median, pairedRatio } from './statistics.ts';

describe('median', () => {
  it('is the middle one, or the middle of the two in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 100])).toBe(3);
    expect(median([])).toBeNaN();
  });
});

describe('paired ratio', () => {
  it('compares within a round, so that a slow round counts no more than another', () => {
    expect(pairedRatio([2, 20, 2], [1, 10, 1])).toBe(2);
  });

  it('leaves rounds out in which one side failed', () => {
    expect(pairedRatio([2, undefined, 8], [1, 1, undefined])).toBe(2);
  });
});
