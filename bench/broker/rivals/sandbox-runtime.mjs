// Runs sandbox-runtime's own HTTP proxy as its manager sets it up for masked credentials: TLS ended in the
// process, the sentinel swapped in headers and bodies of the granted host. Its sandbox is not started.
// Argument: the package's folder. Environment: BENCH_SECRET, BENCH_HOST. Prints one JSON line when it listens.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [folder] = process.argv.slice(2);
const { BENCH_SECRET: secret, BENCH_HOST: host } = process.env;
const load = (name) => import(pathToFileURL(join(folder, 'dist', 'sandbox', name)).href);
const { createHttpProxyServer } = await load('http-proxy.js');
const { createMitmCA } = await load('mitm-ca.js');
const { SentinelRegistry } = await load('credential-sentinel.js');
const { matchesDomainPattern } = await load('domain-pattern.js');
const { createResolvedAddressGuard } = await load('resolved-address-guard.js');

const registry = new SentinelRegistry();
const sentinel = registry.register('BENCH', secret, [host]);
const mitmCA = createMitmCA({});
const guard = createResolvedAddressGuard({ allowedDomains: [host] });
const server = createHttpProxyServer({
  filter: (_port, name) => matchesDomainPattern(name, host),
  mitmCA,
  shouldTerminateTLS: () => true,
  mutateHeaders: (headers, to) => registry.substituteInHeaders(headers, to, matchesDomainPattern),
  getBodySubstitutions: (to) => registry.sentinelsForHost(to, matchesDomainPattern),
  lookupFor: (port) => guard.lookupFor(port),
});
server.listen(0, '127.0.0.1', () => {
  const ready = { port: server.address().port, placeholder: sentinel, ca: mitmCA.certPath };
  process.stdout.write(`${JSON.stringify(ready)}\n`);
});
process.once('SIGTERM', () => process.exit(0));
