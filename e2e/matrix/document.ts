import { CLAIMS, type Claim, type Family } from './claims.ts';

const TITLES: Readonly<Record<Family, string>> = {
  http: 'HTTP and WebSocket clients',
  packages: 'git and package managers',
  services: 'Services',
  assistants: 'Assistants, each in its own image',
};

const PROTOCOLS: Readonly<Record<Claim['protocol'], string>> = {
  h1: 'HTTP/1.1',
  h2: 'HTTP/2',
  ws: 'WebSocket',
  tcp: 'its own, over TLS',
};

const ECHOES: Readonly<Record<Claim['echo'], string>> = {
  replaced: 'placeholder',
  cut: 'connection cut',
};

const HEAD = `# Clients

What works in a session with nothing set up, held by tests in \`e2e/matrix\` that run each program in a real sandbox against services of this machine: a private authority, HTTP/2 and HTTP/1.1, a private git repository, registries, a PostgreSQL server, and the models' own wire formats. \`npm run matrix\` runs them all and writes this page; a row that does not hold fails.

- **Works**: the program gets the right answer, and trusts the session's authority by itself.
- **Injected**: the service got the real secret, put in where the program put its placeholder; nothing inside ever held it (environments, command lines, memory, files and output are searched).
- **Said back**: what became of the secret that the service repeated in headers, bodies, messages or trailers.
- **Protocol**: what the service saw and what the timeline recorded; each request is on it once, with its program (on a busy machine one that is gone within a moment may stay unnamed).
`;

const row = ({ client, login, echo, protocol }: Claim): string =>
  `| ${client} | yes | ${login} | ${ECHOES[echo]} | ${PROTOCOLS[protocol]} |`;

const table = (family: Family): string =>
  [
    `## ${TITLES[family]}`,
    '',
    '| Client | Works | Injected | Said back | Protocol |',
    '| --- | --- | --- | --- | --- |',
    ...CLAIMS.filter((claim) => claim.family === family).map(row),
    '',
  ].join('\n');

const TAIL = `## What a session brings

One bundle holds the system's authorities, those that this machine adds, and the session's own. It lies where Debian's programs look (\`/etc/ssl/certs/ca-certificates.crt\`), and as a truststore where Debian's Java looks; \`SSL_CERT_FILE\`, \`NODE_EXTRA_CA_CERTS\`, \`REQUESTS_CA_BUNDLE\`, \`CURL_CA_BUNDLE\`, \`GIT_SSL_CAINFO\`, \`CARGO_HTTP_CAINFO\`, \`PIP_CERT\`, \`AWS_CA_BUNDLE\`, \`DENO_CERT\`, \`NIX_SSL_CERT_FILE\`, \`CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE\`, \`GRPC_DEFAULT_SSL_ROOTS_FILE_PATH\` and \`HEX_CACERTS_PATH\` name it for all others.

What has authorities of its own and looks nowhere else does not trust it: see [limitations.md](limitations.md).
`;

/** The page about clients, as the claims have it; the formatter lays its tables out. */
export const clientsPage = (): string =>
  [HEAD, ...(Object.keys(TITLES) as Family[]).map(table), TAIL].join('\n');
