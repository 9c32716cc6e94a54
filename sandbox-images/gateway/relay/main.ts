import { networkInterfaces } from 'node:os';
import { watchDatagrams } from './datagrams.ts';
import { createAsk, listenDns, listenDnsConnections } from './dns.ts';
import { createHandOver } from './handover.ts';
import { createLink } from './link.ts';
import { CAPTURE_PORT, DNS_PORT, HANDOVER_SOCKET, LINK_SOCKET } from './ports.ts';

/** Told to the broker when the link comes up. */
export const RELAY_VERSION = '2';
const REPORT_TIMEOUT_MS = 5000;
/** Reports under way at once; more are dropped, for the broker is not keeping up. */
const MAX_REPORTS = 256;

// Any failure of the relay itself ends it, and with it the only way out.
const onFailure = (failure: unknown): void => {
  process.stderr.write(
    `gateway: ${failure instanceof Error ? failure.message : String(failure)}\n`,
  );
  process.exit(1);
};
process.on('uncaughtException', onFailure);
process.on('unhandledRejection', onFailure);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

// Where the engine leaves IPv6 off there is no ::1, and nothing of IPv6 to capture either.
const hasIpv6 = networkInterfaces()['lo']?.some(({ address }) => address === '::1') === true;
const families = hasIpv6 ? ([4, 6] as const) : ([4] as const);

const handOver = createHandOver(HANDOVER_SOCKET, families, CAPTURE_PORT);
const link = createLink(LINK_SOCKET, RELAY_VERSION, handOver);
const ask = createAsk(link);

let reports = 0;
const report = (path: string, value: object): void => {
  if (reports >= MAX_REPORTS) return;
  reports += 1;
  const body = Buffer.from(JSON.stringify(value));
  void link
    .post(path, { type: 'application/json', body, timeoutMs: REPORT_TIMEOUT_MS })
    .finally(() => (reports -= 1));
};
for (const family of families) {
  listenDns(ask, family, DNS_PORT, onFailure);
  listenDnsConnections(ask, family, DNS_PORT, onFailure);
}
watchDatagrams((datagrams) => {
  report('/udp', datagrams);
}, onFailure);
