import { describe, expect, it } from 'vitest';
import { createEmitter } from './emitter.ts';
import { singleFlight } from './single-flight.ts';

describe('emitter', () => {
  it('removes exactly the listener that asked', () => {
    const emitter = createEmitter<number>();
    const got: number[] = [];
    const listener = (value: number): void => void got.push(value);
    const off = emitter.on(listener);
    emitter.on(listener);
    off();
    off();
    emitter.emit(1);
    expect(got).toEqual([1]);
    expect(emitter.size()).toBe(1);
  });

  it('goes on when a listener throws, and reports it', () => {
    const failures: unknown[] = [];
    const emitter = createEmitter<number>((failure) => void failures.push(failure));
    const got: number[] = [];
    emitter.on(() => {
      throw new Error('broken listener');
    });
    emitter.on((value) => void got.push(value));
    emitter.emit(7);
    expect(got).toEqual([7]);
    expect(failures).toHaveLength(1);
  });
});

describe('single flight', () => {
  it('shares one run among those who come while it runs, and starts anew after', async () => {
    let runs = 0;
    const run = singleFlight(() => Promise.resolve((runs += 1)));
    expect(await Promise.all([run(), run()])).toEqual([1, 1]);
    expect(await run()).toBe(2);
  });
});
