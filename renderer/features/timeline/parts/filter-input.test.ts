import { describe, expect, it } from 'vitest';
import { splitFilter } from './filter-input.tsx';

describe('filter chips', () => {
  it.each([
    ['', [], ''],
    ['prog:np', [], 'prog:np'],
    ['prog:npm ', ['prog:npm'], ''],
    ['prog:npm host:a.b tele', ['prog:npm', 'host:a.b'], 'tele'],
    ['tele prog:npm ', [], 'tele prog:npm '],
  ])('“%s”', (text, chips, rest) => {
    expect(splitFilter(text)).toEqual({ chips, rest });
  });
});
