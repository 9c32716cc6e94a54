import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSessionRig, type SessionRig } from './testing/rig.ts';

let rig: SessionRig;
beforeEach(() => {
  rig = createSessionRig();
});
afterEach(() => rig.close());

const draft = (id: string) => ({
  kind: 'egress' as const,
  at: '2026-01-01T00:00:00.000000Z',
  id,
  verdict: 'allowed' as const,
  scheme: 'https' as const,
  host: 'a.example',
  port: 443,
  protocol: 'h1' as const,
  inspected: true,
  bytesOut: 0,
  bytesIn: 0,
  durationMs: 0,
});

describe('open requests', () => {
  it('are shown until they are recorded, and forgotten when the broker dies', async () => {
    const { id } = await rig.running();
    const seen: number[] = [];
    rig.sessions.onOpenRequests(id, (open) => seen.push(open.length));
    rig.house.broker?.listeners.onOpen(draft('1'));
    rig.house.broker?.listeners.onOpen(draft('2'));
    rig.house.broker?.listeners.onEvents([draft('1')]);
    expect(rig.sessions.openRequests(id).map((open) => open.id)).toEqual(['2']);
    rig.house.broker?.listeners.onState('down', 'died');
    expect(rig.sessions.openRequests(id)).toEqual([]);
    expect(seen).toEqual([1, 2, 1, 0]);
  });
});
