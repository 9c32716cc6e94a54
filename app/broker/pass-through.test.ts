import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openWires, type Wires } from './testing/wires.ts';

describe('a host on the pass-through list', () => {
  let wires: Wires;
  beforeAll(async () => {
    wires = await openWires();
  });
  afterAll(() => wires.close());

  const hello = (servername: string | undefined, socket: Duplex) =>
    new Promise<string>((resolve) => {
      const tls = connectTls({
        socket,
        ...(servername === undefined ? {} : { servername }),
        rejectUnauthorized: false,
      });
      tls.once('secureConnect', () => {
        const name = String(tls.getPeerCertificate().issuer['CN']);
        resolve(name);
        tls.destroy();
      });
      tls.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
    });

  it('is reached with its own certificate, unopened', async () => {
    const events = await wires.recorded(1, async () => {
      expect(await hello('pinned.test', await wires.rig.tcp('pinned.test', 443))).toBe(
        'Test authority',
      );
    });
    expect(events).toEqual([
      expect.objectContaining({
        verdict: 'allowed',
        scheme: 'tls',
        protocol: 'tls',
        inspected: false,
        rule: '--pass-through pinned.test',
      }),
    ]);
    expect(events[0]?.bytesOut).toBeGreaterThan(100);
  });

  it.each([
    ['another name', 'web.test', 'egress.authority-mismatch'],
    ['no name', undefined, 'egress.authority-mismatch'],
  ])('is not reached with %s in the handshake', async (_what, servername, code) => {
    const [event] = await wires.recorded(1, async () => {
      expect(await hello(servername, await wires.rig.tcp('pinned.test', 443))).toMatch(
        /ERR_SSL_.*ACCESS_DENIED/,
      );
    });
    expect(event).toMatchObject({ verdict: 'denied', code, inspected: false });
  });
});
