import { describe, expect, it } from 'vitest';
import { createManualClock, isoTime, sleep } from './clock.ts';

describe('clock', () => {
  it('runs due tasks in order and leaves cancelled ones out', () => {
    const clock = createManualClock();
    const ran: string[] = [];
    clock.after(20, () => ran.push('late'));
    clock.after(10, () => ran.push('early'));
    const cancel = clock.after(15, () => ran.push('never'));
    cancel();
    clock.advance(30);
    expect(ran).toEqual(['early', 'late']);
    expect(clock.now()).toBe(30);
  });

  it('ends a sleep with the reason of the abort', async () => {
    const clock = createManualClock();
    const abort = new AbortController();
    const sleeping = sleep(clock, 1000, abort.signal);
    abort.abort(new Error('stopped'));
    await expect(sleeping).rejects.toThrow('stopped');
  });

  it('writes times with six digits of fraction', () => {
    expect(isoTime(Date.UTC(2026, 10, 21, 22, 1, 2) + 345.678)).toBe('2026-11-21T22:01:02.345678Z');
    expect(isoTime(0)).toBe('1970-01-01T00:00:00.000000Z');
  });
});
