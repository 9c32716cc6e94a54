import { describe, expect, it } from 'vitest';
import { createScope } from './scope.ts';

describe('scope', () => {
  it('closes what it owns, last in, first out, once', async () => {
    const order: string[] = [];
    const scope = createScope('test');
    scope.defer(() => {
      order.push('first');
    });
    scope.use({ close: () => void order.push('second') });
    await Promise.all([scope.close(), scope.close()]);
    expect(order).toEqual(['second', 'first']);
  });

  it('runs every cleanup and reports all failures together', async () => {
    const scope = createScope('test');
    let ran = false;
    scope.defer(() => {
      ran = true;
    });
    scope.defer(() => Promise.reject(new Error('broken')));
    await expect(scope.close()).rejects.toThrow(AggregateError);
    expect(ran).toBe(true);
  });

  it('aborts its signal before the first cleanup', async () => {
    const scope = createScope('test');
    let aborted = false;
    scope.defer(() => {
      aborted = scope.signal.aborted;
    });
    await scope.close();
    expect(aborted).toBe(true);
  });

  it('cleans up at once what is opened while it closes, and says so', async () => {
    const scope = createScope('test');
    await scope.close();
    let cleaned = false;
    expect(() => {
      scope.defer(() => {
        cleaned = true;
      });
    }).toThrow('has ended');
    expect(cleaned).toBe(true);
  });

  it('closes children before what the parent opened earlier', async () => {
    const order: string[] = [];
    const scope = createScope('parent');
    scope.defer(() => void order.push('parent'));
    scope.child('child').defer(() => void order.push('child'));
    await scope.close();
    expect(order).toEqual(['child', 'parent']);
  });
});
