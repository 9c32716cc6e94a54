import { expect, it } from 'vitest';
import { createManualClock } from '../../kit/index.ts';
import { createMemoryGuard, MEMORY_CHECK_MS } from './memory-guard.ts';

it('lets nothing new in while there is a crowd, and ends the process past the most', () => {
  const clock = createManualClock();
  let resident = 50;
  let garbage = 0;
  const guard = createMemoryGuard(
    {
      clock,
      resident: () => resident + garbage,
      needed: () => resident,
    },
    { crowded: 100, most: 200 },
  );
  const look = (bytes: number): boolean => {
    resident = bytes;
    clock.advance(MEMORY_CHECK_MS);
    return guard.crowded();
  };
  expect(look(100)).toBe(false);
  expect(look(101)).toBe(true);
  expect(look(200)).toBe(true);
  expect(look(60)).toBe(false);
  garbage = 60;
  expect(look(90)).toBe(false);
  expect(look(110)).toBe(true);
  expect(() => look(201)).toThrow(/memory/);
});
