import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createScope } from '../kit/index.ts';
import { onStopSignal, SAME_WISH_MS, signalStatus } from './stop-signals.ts';

describe('signals that ask to end', () => {
  it('stop once, take an echo for the same wish, and end at once when someone insists', async () => {
    const source = new EventEmitter();
    const scope = createScope('test');
    const seen: (string | number)[] = [];
    let time = 0;
    onStopSignal(
      (signal) => seen.push(signal),
      { source: source as never, now: () => time, exit: (status) => seen.push(status) },
      scope,
    );
    source.emit('SIGINT');
    source.emit('SIGINT');
    time = SAME_WISH_MS;
    source.emit('SIGTERM');
    expect(seen).toEqual(['SIGINT']);
    time = SAME_WISH_MS + 1;
    source.emit('SIGTERM');
    expect(seen).toEqual(['SIGINT', 143]);
    await scope.close();
    expect(source.listenerCount('SIGINT') + source.listenerCount('SIGHUP')).toBe(0);
    expect(signalStatus('SIGINT')).toBe(130);
  });
});
