import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isOwnerDead, processStart, startTicks, thisOwner } from './owner.ts';

describe('an owner', () => {
  it('is this process, the same at each ask', async () => {
    const owner = await thisOwner();
    expect(owner.pid).toBe(process.pid);
    expect(await processStart(process.pid)).toBe(owner.start);
  });

  it('is gone once its process has ended', async () => {
    const child = spawn('sleep', ['60']);
    const pid = child.pid ?? 0;
    const start = await processStart(pid);
    const { start: here } = await thisOwner();
    expect(isOwnerDead({ pid, start: start ?? '' }, await processStart(pid), here)).toBe(false);
    child.kill('SIGKILL');
    await once(child, 'close');
    expect(isOwnerDead({ pid, start: start ?? '' }, await processStart(pid), here)).toBe(true);
  });

  it('is read past a command name with spaces and brackets', () => {
    const rest = Array.from({ length: 30 }, (_, index) => String(index + 4)).join(' ');
    expect(startTicks(`12 (evil) S 1 (name) S ${rest}`)).toBe('22');
    expect(startTicks('12 (short) S 1')).toBeUndefined();
  });

  it.each([
    ['the same start', 'boot/ns/5', 'boot/ns/5', false],
    ['no such process now', 'boot/ns/5', undefined, true],
    ['its number given to another process', 'boot/ns/5', 'boot/ns/9', true],
    ['an earlier boot', 'before/ns/5', 'boot/ns/5', true],
    ['another pid namespace of this boot, which cannot be seen', 'boot/other/5', undefined, false],
    ['the format of another system', 'Sat Nov 21 22:01:02 2026', undefined, true],
  ])('%s', (_, start, now, dead) => {
    expect(isOwnerDead({ pid: 1, start }, now, 'boot/ns/1')).toBe(dead);
  });
});
