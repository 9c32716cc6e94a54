import { describe, expect, it } from 'vitest';
import { Secret, unwrap } from '../kit/index.ts';
import { seal, unseal } from './sealed-file.ts';

const PASSPHRASE = new Secret('correct horse');
const TEXT = '{"canary":"canary-value-0123456789"}';

const code = async (sealed: string, passphrase = PASSPHRASE): Promise<string> => {
  const opened = await unseal(sealed, passphrase);
  return opened.ok ? 'opened' : opened.error.code;
};
const fields = (sealed: string) => JSON.parse(sealed) as Record<string, string>;
const flip = (text: string, index: number): string => {
  const bytes = Buffer.from(text, 'base64');
  const at = index < 0 ? bytes.length + index : index;
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes.toString('base64');
};

// Each opening costs what it must cost a guesser.
describe('the sealed file', { timeout: 120_000 }, () => {
  it('opens with its passphrase, in any Unicode spelling, and shows nothing of its content', async () => {
    const sealed = await seal(TEXT, new Secret('pässwörter'.normalize('NFC')));
    expect(unwrap(await unseal(sealed, new Secret('pässwörter'.normalize('NFD'))))).toBe(TEXT);
    expect(sealed).not.toContain('canary');
    expect(sealed).not.toContain(Buffer.from('canary').toString('base64').slice(0, 7));
  });

  it('takes fresh salt, nonce and key for every write', async () => {
    const [one, two] = [fields(await seal(TEXT, PASSPHRASE)), fields(await seal(TEXT, PASSPHRASE))];
    for (const name of ['salt', 'nonce', 'check', 'data']) expect(one[name]).not.toBe(two[name]);
  });

  it('tells a wrong passphrase from a damaged file', async () => {
    const sealed = await seal(TEXT, PASSPHRASE);
    expect(await code(sealed, new Secret('correct horsf'))).toBe('vault.passphrase');
    expect(await code(sealed.slice(0, -20))).toBe('vault.failed');
  });

  it('notices a change in every part', async () => {
    const sealed = await seal(TEXT, PASSPHRASE);
    const whole = fields(sealed);
    const changed = async (change: Record<string, unknown>): Promise<string> =>
      code(JSON.stringify({ ...whole, ...change }));
    // Salt and check make the key, so a change there looks like a wrong passphrase; neither opens.
    expect(await changed({ salt: flip(whole['salt'] ?? '', 0) })).toBe('vault.passphrase');
    expect(await changed({ check: flip(whole['check'] ?? '', 3) })).toBe('vault.passphrase');
    expect(await changed({ nonce: flip(whole['nonce'] ?? '', 5) })).toBe('vault.failed');
    for (const index of [0, 10, -17, -16, -1]) {
      expect(await changed({ data: flip(whole['data'] ?? '', index) })).toBe('vault.failed');
    }
    expect(await changed({ data: '' })).toBe('vault.failed');
    expect(await changed({ kdf: 'scrypt-2-1-1' })).toBe('vault.failed');
    expect(await changed({ cipher: 'none' })).toBe('vault.failed');
    expect(await changed({ version: 2 })).toBe('vault.failed');
    expect(await changed({ more: true })).toBe('vault.failed');
    expect(await code('')).toBe('vault.failed');
    expect(await code('null')).toBe('vault.failed');
    expect(await changed({})).toBe('opened');
  });
});
