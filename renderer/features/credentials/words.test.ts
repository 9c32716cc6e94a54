import { describe, expect, it } from 'vitest';
import { noneWords } from './words.ts';

const problem = { code: 'vault.locked', message: 'It is locked.' } as const;

describe('what stands where no credential is known', () => {
  it('says that a locked store is locked and how it is opened, not that nothing is stored', () => {
    expect(noneWords({ store: 'keychain', state: 'locked', problem })).toBeUndefined();
    expect(noneWords({ store: 'sealed', state: 'locked', credentials: 0, problem })).toMatchObject({
      title: 'The sealed file is locked',
      more: expect.stringMatching(/^Give its passphrase above\./) as string,
      locked: true,
    });
  });

  it('says that nothing is stored where that is so', () => {
    const title = 'No credential is stored';
    expect(noneWords({ store: 'sealed', state: 'locked' })).toMatchObject({
      title,
      more: expect.stringContaining('Choose a passphrase') as string,
      locked: false,
    });
    for (const state of ['open', 'unavailable'] as const) {
      expect(noneWords({ store: 'keychain', state })).toMatchObject({ title, locked: false });
    }
    expect(noneWords(undefined)).toMatchObject({ title, locked: false });
  });
});
