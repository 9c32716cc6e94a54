import { join } from 'node:path';
import type { Scope } from '../../../app/kit/index.ts';
import { createTestFolder } from '../../../e2e/fixtures/folder.ts';
import { freePort, startChild, untilListening } from '../child.ts';
import type { Contender, Setting } from '../contender.ts';
import { runOnHost } from '../host-client.ts';
import { RIVAL_PACKAGES, rivalPackage } from './package-store.ts';

const PLACEHOLDER = 'sk-placeholder-0123456789abcdef';

/** A schema as varlock's documents have it: one secret, one placeholder, one host it may go to. */
const schema = (secret: string): string => `# @defaultSensitive=false
# ---
# @sensitive @proxy(domain=localhost)
# @placeholder=${PLACEHOLDER}
BENCH_CREDENTIAL=${secret}
`;

/** varlock's proxy daemon; it scrubs literally, in text that is not compressed. */
export const createVarlock = async (
  { upstreamPort, upstreamCa, secret }: Setting,
  scope: Scope,
): Promise<Contender> => {
  const folder = await rivalPackage('varlock');
  const home = scope.use(createTestFolder('gbx-bench-varlock-'));
  home.write({ 'project/.env.schema': schema(secret) });
  const port = await freePort();
  const certificates = join(home.path, 'certificates');
  const child = scope.use(
    startChild(
      process.execPath,
      [
        join(folder, 'bin', 'cli.js'),
        'proxy',
        'start',
        '--port',
        String(port),
        '--cert-dir',
        certificates,
      ],
      { HOME: home.path, NODE_EXTRA_CA_CERTS: upstreamCa },
      join(home.path, 'project'),
    ),
  );
  await untilListening(port, child);
  const via = { host: '127.0.0.1', port, connect: true };
  return {
    name: `varlock ${RIVAL_PACKAGES.varlock}`,
    topology: 'client on the host, its proxy by CONNECT, upstream',
    run: (phase) =>
      runOnHost(
        phase,
        { host: 'localhost', port: upstreamPort, via },
        join(certificates, 'ca-cert.pem'),
        PLACEHOLDER,
      ),
    roots: () => Promise.resolve([child.pid]),
  };
};
