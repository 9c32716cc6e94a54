import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Scope } from '../../../app/kit/index.ts';
import { createTestFolder } from '../../../e2e/fixtures/folder.ts';
import { freePort, runToEnd, startChild, untilListening } from '../child.ts';
import type { Contender, Setting } from '../contender.ts';
import { runOnHost } from '../host-client.ts';

/** As long as the secret: a streamed answer keeps the length that its header section promised. */
const placeholderFor = (secret: string): string => 'sk-placeholder-'.padEnd(secret.length, '0');

const version = async (): Promise<string> => {
  const words = await runToEnd('mitmdump', ['--version'], { HOME: homedir() }).catch(() => {
    throw new Error('mitmdump is not on the path: apt-get install mitmproxy brings it');
  });
  return /^Mitmproxy: (\S+)/m.exec(words)?.[1] ?? 'of unknown version';
};

/** mitmproxy with a script that swaps the credential and scrubs literally; both ways stream. */
export const createMitmproxy = async (
  { upstreamPort, upstreamCa, secret }: Setting,
  scope: Scope,
): Promise<Contender> => {
  const placeholder = placeholderFor(secret);
  const name = `mitmproxy ${await version()}`;
  const home = scope.use(createTestFolder('gbx-bench-mitmproxy-'));
  const port = await freePort();
  const child = scope.use(
    startChild(
      'mitmdump',
      [
        '--quiet',
        '--listen-host',
        '127.0.0.1',
        '--listen-port',
        String(port),
        '--set',
        `confdir=${home.path}`,
        '--set',
        'connection_strategy=lazy',
        '--set',
        `ssl_verify_upstream_trusted_ca=${upstreamCa}`,
        '--scripts',
        join(import.meta.dirname, 'mitmproxy.py'),
      ],
      {
        HOME: home.path,
        PYTHONDONTWRITEBYTECODE: '1',
        BENCH_PLACEHOLDER: placeholder,
        BENCH_SECRET: secret,
      },
    ),
  );
  await untilListening(port, child);
  const via = { host: '127.0.0.1', port, connect: true };
  const ca = join(home.path, 'mitmproxy-ca-cert.pem');
  return {
    name,
    topology: 'client on the host, its proxy by CONNECT, upstream',
    run: (phase) =>
      runOnHost(phase, { host: 'localhost', port: upstreamPort, via }, ca, placeholder),
    roots: () => Promise.resolve([child.pid]),
  };
};
