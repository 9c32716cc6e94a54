import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const ROW = /^\| `([A-Z0-9_]+)` +\| ([^|]+?) +\| `([a-z0-9/-]+\.ts)` +\| /gm;
const UNITS = [
  [2 ** 40, 'TiB'],
  [2 ** 20, 'MiB'],
  [2 ** 10, 'KiB'],
] as const;

/** A cap's value as the table has it. */
const shown = (name: string, value: number): string => {
  if (name.endsWith('_MS')) {
    return value < 60_000 ? `${String(value / 1000)} s` : `${String(value / 60_000)} min`;
  }
  if (name.endsWith('_MEGABYTES')) return `${String(value)} MB`;
  if (!name.endsWith('_BYTES')) return String(value);
  const unit = UNITS.find(([bytes]) => value >= bytes && value % bytes === 0);
  return unit === undefined ? `${String(value)} bytes` : `${String(value / unit[0])} ${unit[1]}`;
};

const rows = Array.from(
  readFileSync(new URL('../../../docs/architecture.md', import.meta.url), 'utf8').matchAll(ROW),
  ([, name = '', value = '', file = '']) => ({ name, value, file }),
);

it('are told in full', () => {
  expect(rows.length).toBeGreaterThan(70);
});

it.each(rows)(
  '$name is $value in $file, as the architecture says',
  async ({ name, value, file }) => {
    const found = (await import(new URL(`../${file}`, import.meta.url).href)) as Record<
      string,
      unknown
    >;
    expect(shown(name, Number(found[name]))).toBe(value);
  },
);
