import { expect, it } from 'vitest';
import { checkMediated, MIN_MEDIATED } from './check-mediated.ts';

/** Another one as for the other trials: `GLOVEBOX_INVARIANTS_SEED`. */
const SEED = Number(process.env['GLOVEBOX_INVARIANTS_SEED'] ?? 20_261_122);

// Each connection has a limit of its own, and so has the search for a smaller trial that fails: this one
// only ends a run that hangs elsewhere.
it(
  'keeps its promises for what is signed, exchanged, pushed and logged in to',
  { timeout: 1_200_000 },
  async () => {
    const checked = await checkMediated({ seed: SEED });
    process.stdout.write(
      `invariants: seed ${String(checked.seed)}, ${String(checked.requests)} mediated requests on ${String(checked.connections)} connections\n`,
    );
    expect(checked.failure).toBeUndefined();
    expect(checked.connections).toBeGreaterThanOrEqual(MIN_MEDIATED);
    const { records } = checked;
    for (const kind of ['allowed', 'denied'] as const) expect(records[kind]).toBeGreaterThan(100);
    for (const kind of ['scrubbed', 'signed anew', 'logged in'] as const)
      expect(records[kind]).toBeGreaterThan(30);
    for (const kind of ['exchanged', 'token used', 'pushed'] as const)
      expect(records[kind]).toBeGreaterThan(10);
  },
);
