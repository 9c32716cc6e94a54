import { describe, expect, it } from 'vitest';
import { LABEL, labelFilter, ownerOf, sessionLabels } from './labels.ts';
import { abandonedSessions } from './remove.ts';

const owner = { pid: 12, start: 'boot/ns/5' };
const [one, two] = ['0123456789ab', 'ba9876543210'];

describe('labels', () => {
  it('say whose a thing is, and are read back', () => {
    const labels = sessionLabels('home', one, 'guard', owner);
    expect(ownerOf(labels)).toEqual({ session: one, owner });
    expect(labels[LABEL.install]).toBe('home');
  });

  it('that are missing or broken name no owner', () => {
    const labels = sessionLabels('home', one, 'guard', owner);
    for (const broken of [
      null,
      {},
      { ...labels, [LABEL.ownerPid]: 'x' },
      { ...labels, [LABEL.ownerPid]: '0' },
      { ...labels, [LABEL.ownerStart]: '' },
    ]) {
      expect(ownerOf(broken)).toBeUndefined();
    }
  });

  it('always filter by the installation', () => {
    expect(labelFilter('home').label).toContain(`${LABEL.install}=home`);
    expect(labelFilter('home', one).label).toEqual([
      `${LABEL.install}=home`,
      `${LABEL.session}=${one}`,
    ]);
  });
});

describe('sweeping', () => {
  const starts = new Map([[12, 'boot/ns/5']]);
  const startOf = (pid: number): Promise<string | undefined> => Promise.resolve(starts.get(pid));
  const here = 'boot/ns/1';

  it('takes dead owners’ sessions, each once', async () => {
    const dead = { pid: 13, start: 'boot/ns/6' };
    const found = [
      { session: one, owner },
      { session: two, owner: dead },
      { session: two, owner: dead },
    ];
    expect(await abandonedSessions(found, startOf, here)).toEqual([two]);
  });

  it('leaves a session of which anything has a living owner', async () => {
    const found = [
      { session: one, owner: { pid: 13, start: 'boot/ns/6' } },
      { session: one, owner },
    ];
    expect(await abandonedSessions(found, startOf, here)).toEqual([]);
  });

  it('never acts on what is no session id', async () => {
    const found = [{ session: '../../x', owner: { pid: 13, start: 'boot/ns/6' } }];
    expect(await abandonedSessions(found, startOf, here)).toEqual([]);
  });
});
