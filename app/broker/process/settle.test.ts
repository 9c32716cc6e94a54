import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createManualClock } from '../../kit/index.ts';
import { giveRoomBack, takeRoom } from './rooms.ts';
import { QUIET_MS, SETTLE_MS, settleWhenQuiet } from './settle.ts';

describe('memory that nothing needs any more', () => {
  const gc = vi.fn<() => void>();
  beforeEach(() => {
    vi.stubGlobal('gc', gc);
  });
  afterEach(() => {
    gc.mockClear();
    vi.unstubAllGlobals();
  });

  it('is collected some time after the start, and not again while nothing happens', () => {
    const clock = createManualClock();
    const stop = settleWhenQuiet(clock, () => 0);
    clock.advance(SETTLE_MS - 1);
    expect(gc).not.toHaveBeenCalled();
    clock.advance(10 * QUIET_MS);
    expect(gc.mock.calls).toEqual([
      [expect.objectContaining({ type: 'major', flavor: 'last-resort' })],
    ]);
    stop();
  });

  it('is collected once more when a load is over, and never during one', () => {
    const clock = createManualClock();
    let begun = 0;
    const stop = settleWhenQuiet(clock, () => begun);
    clock.advance(SETTLE_MS);
    gc.mockClear();
    for (let round = 0; round < 5; round += 1) {
      begun += 1;
      clock.advance(QUIET_MS);
    }
    expect(gc).not.toHaveBeenCalled();
    clock.advance(QUIET_MS);
    expect(gc).toHaveBeenCalledTimes(1);
    clock.advance(10 * QUIET_MS);
    expect(gc).toHaveBeenCalledTimes(1);
    begun += 1;
    clock.advance(2 * QUIET_MS);
    expect(gc).toHaveBeenCalledTimes(2);
    stop();
  });

  it('is that of bodies, too', () => {
    const clock = createManualClock();
    const stop = settleWhenQuiet(clock, () => 0);
    const room = takeRoom();
    giveRoomBack(room);
    clock.advance(SETTLE_MS);
    expect(takeRoom()).not.toBe(room);
    stop();
  });

  it('stays where the process closes before', () => {
    const clock = createManualClock();
    let begun = 0;
    settleWhenQuiet(clock, () => begun)();
    const stop = settleWhenQuiet(clock, () => begun);
    clock.advance(SETTLE_MS);
    gc.mockClear();
    begun += 1;
    clock.advance(QUIET_MS);
    stop();
    clock.advance(10 * QUIET_MS);
    expect(gc).not.toHaveBeenCalled();
  });
});
