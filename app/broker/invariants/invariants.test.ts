import { expect, it } from 'vitest';
import { checkInvariants, MIN_REQUESTS } from './check.ts';

/** Another one: `GLOVEBOX_INVARIANTS_SEED=7 npx vitest run invariants`, or any at all: `npm run test:invariants`. */
const SEED = Number(process.env['GLOVEBOX_INVARIANTS_SEED'] ?? 20_261_122);

it('keeps its promises over thousands of random requests', { timeout: 400_000 }, async () => {
  const checked = await checkInvariants({ seed: SEED });
  process.stdout.write(
    `invariants: seed ${String(checked.seed)}, ${String(checked.requests)} requests on ${String(checked.connections)} connections\n`,
  );
  expect(checked.failure).toBeUndefined();
  expect(checked.requests).toBeGreaterThanOrEqual(MIN_REQUESTS);
  const { records } = checked;
  for (const kind of ['allowed', 'denied', 'injected', 'scrubbed', 'HTTP/2'] as const)
    expect(records[kind]).toBeGreaterThan(300);
  for (const kind of ['WebSocket', 'raw TCP', 'passed through'] as const)
    expect(records[kind]).toBeGreaterThan(50);
});
