import { expect, it, onTestFinished } from 'vitest';
import { ok, Secret } from '../kit/index.ts';
import { createRotatedKeeper } from './rotated.ts';
import { createFakeHouse } from './testing/fakes.ts';

it('stores a secret that its server has replaced, and tells the log where that fails', async () => {
  const house = createFakeHouse();
  onTestFinished(house.close);
  const told: string[] = [];
  const log = (level: string, message: string, details?: unknown): void => {
    told.push(`${level} ${message} ${JSON.stringify(details)}`);
  };
  const keeper = createRotatedKeeper({ vault: house.deps.vault, log });
  keeper.keep('work', new Secret('new-value'));
  await keeper.settled();
  expect(house.calls).toEqual(['rotate work new-value']);
  expect(told).toEqual([]);
  keeper.keep('gone', new Secret('new-value'));
  await keeper.settled();
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(/warn The new refresh token of gone.*vault\.locked/);
  expect(told[0]).not.toContain('new-value');
});

it('stores one after the other, so that the last one stays', async () => {
  const { deps, close } = createFakeHouse();
  onTestFinished(close);
  const stored: string[] = [];
  const waits = [30, 0];
  const rotate = async (name: string, secret: Secret) => {
    await new Promise((resolve) => setTimeout(resolve, waits.shift()));
    stored.push(secret.expose());
    return ok({ name, kind: 'oauth-refresh', hosts: [], addedAt: '' });
  };
  const keeper = createRotatedKeeper({ vault: { ...deps.vault, rotate }, log: () => undefined });
  keeper.keep('login', new Secret('first'));
  keeper.keep('login', new Secret('second'));
  await keeper.settled();
  expect(stored).toEqual(['first', 'second']);
});
