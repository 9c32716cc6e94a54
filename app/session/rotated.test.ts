import { expect, it, onTestFinished } from 'vitest';
import { Secret } from '../kit/index.ts';
import { keepRotated } from './rotated.ts';
import { createFakeHouse } from './testing/fakes.ts';

it('stores a secret that its server has replaced, and tells the log where that fails', async () => {
  const house = createFakeHouse();
  onTestFinished(house.close);
  const told: string[] = [];
  const log = (level: string, message: string, details?: unknown): void => {
    told.push(`${level} ${message} ${JSON.stringify(details)}`);
  };
  await keepRotated({ vault: house.deps.vault, log }, 'work', new Secret('new-value'));
  expect(house.calls).toEqual(['rotate work new-value']);
  expect(told).toEqual([]);
  await keepRotated({ vault: house.deps.vault, log }, 'gone', new Secret('new-value'));
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/warn The new refresh token of gone.*vault\.locked/);
  expect(told[0]).not.toContain('new-value');
});
