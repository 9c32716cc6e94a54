import { describe, expect, it } from 'vitest';
import type { TouchDraft } from '../contract/index.ts';
import { createManualClock } from '../kit/index.ts';
import { createFold, FOLD_MS, MAX_WAITING, REPEAT_MS, type SeenTouch } from './fold.ts';

const setUp = () => {
  const clock = createManualClock();
  const told: TouchDraft[] = [];
  const fold = createFold(clock, (drafts) => told.push(...drafts));
  const touch = (op: SeenTouch['op'], path: string, over: Partial<SeenTouch> = {}): void => {
    fold.add({
      op,
      path,
      to: undefined,
      count: 1,
      time: 0,
      programId: 1,
      program: undefined,
      ...over,
    });
  };
  const lines = (): string[] => told.map(({ op, path, count }) => `${op} ${path} ${count ?? 1}`);
  return { clock, told, fold, touch, lines };
};

describe('createFold', () => {
  it('tells what one program repeats as one record with a count', () => {
    const { clock, touch, lines } = setUp();
    touch('read', '/a');
    touch('read', '/a', { count: 3 });
    touch('read', '/a', { programId: 2 });
    touch('read', '/b');
    expect(lines()).toEqual([]);
    clock.advance(FOLD_MS);
    expect(lines()).toEqual(['read /a 4', 'read /a 1', 'read /b 1']);
  });

  it('leaves out an open that a read, write, creation or exec says better, whichever came first', () => {
    const { clock, touch, lines } = setUp();
    touch('open', '/a');
    touch('read', '/a');
    touch('write', '/b');
    touch('open', '/b');
    touch('create', '/c');
    touch('open', '/c');
    touch('open', '/d');
    clock.advance(FOLD_MS);
    expect(lines()).toEqual(['read /a 1', 'write /b 1', 'create /c 1', 'open /d 1']);
    touch('open', '/a');
    clock.advance(FOLD_MS);
    expect(lines()).toHaveLength(4);
  });

  it('tells a program that goes on with a file only now and then, and loses none of it', () => {
    const { clock, touch, told } = setUp();
    for (let at = 0; at < 20; at++) {
      touch('write', '/log');
      clock.advance(1000);
    }
    clock.advance(REPEAT_MS);
    expect(told.length).toBeLessThanOrEqual(6);
    expect(told.reduce((sum, { count }) => sum + (count ?? 1), 0)).toBe(20);
  });

  it('tells each creation, rename and deletion, in order', () => {
    const { clock, touch, lines } = setUp();
    for (let at = 0; at < 2; at++) {
      touch('create', '/a');
      touch('delete', '/a');
    }
    touch('rename', '/b', { to: '/c' });
    clock.advance(FOLD_MS);
    expect(lines()).toEqual([
      'create /a 1',
      'delete /a 1',
      'create /a 1',
      'delete /a 1',
      'rename /b 1',
    ]);
  });

  it('tells a flood at once, in order, and keeps nothing back', () => {
    const { touch, lines, fold } = setUp();
    for (let at = 0; at < MAX_WAITING - 1; at++) touch('read', `/${at}`);
    expect(lines()).toEqual([]);
    touch('read', '/last');
    expect(lines()).toHaveLength(MAX_WAITING);
    touch('read', '/after');
    fold.flush();
    expect(lines().at(-1)).toBe('read /after 1');
  });
});
