import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { misfit } from './mutation.ts';
import { MUTATIONS } from './mutations.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

describe('the list of protections', () => {
  it('is long enough, and names each once', () => {
    expect(MUTATIONS.length).toBeGreaterThanOrEqual(40);
    expect(new Set(MUTATIONS.map(({ id }) => id)).size).toBe(MUTATIONS.length);
  });

  it.each(MUTATIONS)('fits the source: $id', (mutation) => {
    expect(misfit(mutation, read(mutation.file))).toBeUndefined();
    expect(existsSync(join(root, mutation.test))).toBe(true);
  });

  it('notices an entry that no longer fits', () => {
    const entry = { id: 'x', promise: '', file: '', find: 'if (a)', replace: '', test: '' };
    expect(misfit(entry, 'if (a) b();')).toBeUndefined();
    expect(misfit(entry, 'if (b) c();')).toContain('0 times');
    expect(misfit(entry, 'if (a) if (a) b();')).toContain('2 times');
    expect(misfit({ ...entry, replace: 'if (a)' }, 'if (a)')).toContain('changes nothing');
  });
});
