/** What the table says of one client; the tests hold each word of it against a real session. */
export type Claim = {
  readonly client: string;
  readonly family: Family;
  /** How it logs in: what the broker puts the secret into. */
  readonly login: string;
  /** What the program spoke, as the timeline recorded it and as the service saw it. */
  readonly protocol: WireProtocol;
  /** What became of the secret that the service said back. */
  readonly echo: 'replaced' | 'cut';
};

export type WireProtocol = 'h1' | 'h2' | 'ws' | 'tcp';
export type Family = 'http' | 'packages' | 'services' | 'assistants';

const http = (client: string, protocol: WireProtocol, login = 'Bearer'): Claim => ({
  client,
  family: 'http',
  login,
  protocol,
  echo: 'replaced',
});

const packages = (client: string, protocol: WireProtocol, login: string): Claim => ({
  client,
  family: 'packages',
  login,
  protocol,
  echo: 'replaced',
});

const service = (
  client: string,
  protocol: WireProtocol,
  login: string,
  echo: Claim['echo'] = 'replaced',
): Claim => ({ client, family: 'services', login, protocol, echo });

const assistant = (client: string, protocol: WireProtocol, login: string): Claim => ({
  client,
  family: 'assistants',
  login,
  protocol,
  echo: 'replaced',
});

/** Every client of the matrix. */
export const CLAIMS = [
  http('curl', 'h2'),
  http('curl --http1.1', 'h1'),
  http('curl, without environment', 'h2'),
  http('wget', 'h1'),
  http('Python urllib', 'h1'),
  http('Python http.client', 'h1'),
  http('Python requests', 'h1'),
  http('Node fetch', 'h1'),
  http('Node https', 'h1'),
  http('Node http2', 'h2'),
  http('undici', 'h2'),
  http('Go net/http', 'h2'),
  http('Java HttpClient', 'h2'),
  http('Deno fetch', 'h2'),
  http('Ruby net/http', 'h1'),
  http('Perl LWP', 'h1'),
  http('PHP streams', 'h1'),
  http('ws', 'ws', 'Bearer, in the handshake'),
  http('Node WebSocket', 'ws', 'subprotocol, in the handshake'),
  packages('git', 'h2', 'Basic, from its helper'),
  packages('npm', 'h1', 'Bearer'),
  packages('pip', 'h1', 'Basic'),
  packages('cargo', 'h2', 'token'),
  packages('go', 'h2', 'Basic'),
  packages('apt', 'h1', 'Basic'),
  service('gh', 'h2', 'token'),
  service('boto3', 'h1', 'AWS signature, made anew'),
  service('@grpc/grpc-js', 'h2', 'Bearer, in metadata'),
  service('Python grpcio', 'h2', 'Bearer, in metadata'),
  service('psql', 'tcp', 'SCRAM, on the broker’s side', 'cut'),
  assistant('Claude Code', 'h1', 'x-api-key'),
  assistant('Codex', 'ws', 'Bearer, in the handshake'),
  assistant('Codex, server-sent events', 'h2', 'Bearer'),
  assistant('Gemini CLI', 'h1', 'x-goog-api-key'),
  assistant('opencode', 'h1', 'x-api-key'),
] as const satisfies readonly Claim[];

export type ClientName = (typeof CLAIMS)[number]['client'];

export const claimOf = (client: ClientName): Claim => {
  const found = CLAIMS.find((claim) => claim.client === client);
  if (found === undefined) throw new Error(`no claim about ${client}`);
  return found;
};
