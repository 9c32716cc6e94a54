import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Secret } from './secret.ts';

const VALUE = 'sk-real-value-1234';

describe('secret', () => {
  const secret = new Secret(VALUE);

  it.each([
    ['JSON', () => JSON.stringify({ secret })],
    ['template', () => `key: ${String(secret)}`],
    ['inspect', () => inspect({ deep: { secret } }, { depth: 9, showHidden: true })],
    ['error message', () => new Error(`failed with ${String(secret)}`).message],
    ['copy', () => JSON.stringify(Object.assign({}, secret))],
  ])('does not show in %s', (_where, show) => {
    expect(show()).not.toContain(VALUE);
  });

  it('gives its value to who asks for it by name', () => {
    expect(secret.expose()).toBe(VALUE);
  });
});
