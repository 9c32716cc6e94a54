import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ok, Secret, unwrap } from '../kit/index.ts';
import { deriveKeys, type DeriveKeys } from './sealed-file.ts';
import { createSealedStore } from './sealed-store.ts';

let folder: string;
let derived: number;
const counting: DeriveKeys = (passphrase, salt) => {
  derived += 1;
  return deriveKeys(passphrase, salt);
};
const open = (passphrase = 'correct horse') =>
  createSealedStore(folder, () => Promise.resolve(ok(new Secret(passphrase))), counting);

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gbx-sealed-'));
  derived = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the sealed store', { timeout: 120_000 }, () => {
  it('derives the key of a file once, however many secrets are read from it', async () => {
    const writer = open();
    unwrap(await writer.set('one', new Secret('first')));
    unwrap(await writer.set('two', new Secret('second')));
    // Each write has a salt of its own, and what was written is not derived again to be read.
    expect(derived).toBe(2);
    const reader = open();
    const read = async (name: string) => unwrap(await reader.get(name))?.expose();
    expect(await Promise.all([read('one'), read('two'), read('one')])).toEqual([
      'first',
      'second',
      'first',
    ]);
    expect(await read('three')).toBeUndefined();
    expect(derived).toBe(3);
  });

  it('derives anew for what another has written since', async () => {
    const [mine, other] = [open(), open()];
    unwrap(await mine.set('one', new Secret('first')));
    unwrap(await other.set('one', new Secret('second')));
    expect(unwrap(await mine.get('one'))?.expose()).toBe('second');
    expect(await open('wrong horse').get('one')).toMatchObject({
      ok: false,
      error: { code: 'vault.passphrase' },
    });
  });

  it('forgets a derivation that failed', async () => {
    unwrap(await open().set('one', new Secret('first')));
    let fails = true;
    const store = createSealedStore(
      folder,
      () => Promise.resolve(ok(new Secret('correct horse'))),
      (passphrase, salt) =>
        fails ? Promise.reject(new Error('no memory')) : deriveKeys(passphrase, salt),
    );
    expect(await store.get('one')).toMatchObject({ ok: false, error: { code: 'vault.failed' } });
    fails = false;
    expect(unwrap(await store.get('one'))?.expose()).toBe('first');
  });
});
