import { execFile } from 'node:child_process';
import { chmod, chown } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDestinationOf } from '../../app/broker/process/captured-socket.ts';
import type { Exchanges } from '../../app/broker/process/exchange.ts';
import { MAX_QUERIES_PER_SECOND } from '../../app/broker/process/dns-sockets.ts';
import { createLink, type Link } from '../../app/broker/process/link.ts';
import { createNativeSockets } from '../../app/broker/process/native-sockets.ts';
import { systemClock } from '../../app/kit/index.ts';
import { openRig, type Rig } from '../testing/rig.ts';

/** What came over the link: kind, and what it said. */
type Seen = {
  readonly kind: 'connection' | 'dns' | 'refused';
  readonly source: string;
  readonly to: string;
  readonly facts: object;
};

let rig: Rig;
let gateway: string;
let sandbox: string;
let folder: string;
let link: Link;
let links = 0;
const seen: Seen[] = [];
const failures: string[] = [];

const DNS_ANSWER = 'c00c00010001000000050004c6120001';

/** Answers a query with one address, as the broker's synthetic zone does. */
const dnsAnswer = (query: Buffer): Buffer => {
  const head = Buffer.from(query);
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(1, 6);
  return Buffer.concat([head, Buffer.from(DNS_ANSWER, 'hex')]);
};

/** Port 9000 refuses, 9001 sends much, 9002 breaks off, 9003 stays; all others greet and echo. */
const serve = (socket: Socket, authority: string): void => {
  socket.on('error', (failed: NodeJS.ErrnoException) => failures.push(failed.code ?? ''));
  const port = Number(authority.split(':').at(-1));
  if (port === 9000) {
    socket.destroy();
    return;
  }
  if (port === 9001) {
    const block = Buffer.alloc(1024 * 1024, 1);
    let blocks = 256;
    const more = (): void => {
      while (blocks > 0) {
        blocks -= 1;
        if (!socket.write(block)) {
          socket.once('drain', more);
          return;
        }
      }
      socket.end();
    };
    more();
    return;
  }
  if (port === 9002) {
    socket.write('half');
    setTimeout(() => socket.destroy(), 100);
    return;
  }
  socket.write(`hello ${authority}\n`);
  if (port === 9003) socket.resume();
  else socket.pipe(socket);
};

const text = (address: string, port: number): string =>
  `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;

const native = createNativeSockets();
let source = '';

/** Notes what is refused; the broker's own exchanges have tests of their own. */
const exchanges: Exchanges = {
  begun: () => 0,
  begin: (initial) => {
    let facts = initial;
    return {
      open: () => undefined,
      set: (more) => (facts = { ...facts, ...more }),
      facts: () => facts,
      refuse: ({ code }) => (facts = { ...facts, code }),
      finish: () => {
        const to = text(facts.host, facts.port);
        seen.push({ kind: 'refused', source, to, facts });
      },
      finished: () => false,
    };
  },
  credential: () => undefined,
  barred: () => undefined,
};

/** The broker's own end of the link, with nothing behind it that judges. */
const listen = async (): Promise<void> => {
  link = createLink({
    clock: systemClock,
    native,
    destinationOf: createDestinationOf(native),
    exchanges,
    identify: ({ localAddress, localPort }) => {
      source = text(localAddress, localPort);
      return Promise.resolve(undefined);
    },
    intercept: {
      accept: (socket, { address, port }) => {
        const to = text(address, port);
        seen.push({ kind: 'connection', source, to, facts: {} });
        serve(socket, to);
        return Promise.resolve();
      },
      close: () => undefined,
    },
    dns: {
      answer: (query, whose) => {
        void whose?.();
        seen.push({ kind: 'dns', source, to: '', facts: { query: query.toString('hex') } });
        return dnsAnswer(query);
      },
      flush: () => undefined,
    },
    onLinked: () => (links += 1),
  });
  await link.listen(folder);
};

const linked = (): Promise<void> =>
  vi.waitFor(
    () => {
      if (links === 0) throw new Error('the gateway is not linked');
    },
    { timeout: 20_000 },
  );

/** Runs Python inside with two helpers: `tcp` gives what a connection said, `udp` what a datagram met. */
const python = async (code: string): Promise<string> => {
  const { stdout, stderr, exit } = await rig.run(
    sandbox,
    `cat > /tmp/t.py <<'END'
import socket, sys, time
def family(a): return socket.AF_INET6 if ":" in a else socket.AF_INET
def tcp(a, p, data=b"ping"):
  try:
    s = socket.socket(family(a), socket.SOCK_STREAM); s.settimeout(10); s.connect((a, p))
    s.sendall(data); s.shutdown(1); got = b""
    while True:
      part = s.recv(65536)
      if not part: return got
      got += part
  except OSError as e: return type(e).__name__
def udp(a, p, data=b"x", wait=3):
  try:
    s = socket.socket(family(a), socket.SOCK_DGRAM); s.settimeout(wait); s.connect((a, p)); s.send(data)
    return s.recv(4096).hex()
  except OSError as e: return type(e).__name__
${code}
END
python3 /tmp/t.py`,
  );
  if (exit !== 0) throw new Error(stderr);
  return stdout.trim();
};

const QUERY = '12340100000100000000000001610262630000010001';

beforeAll(async () => {
  rig = await openRig();
  folder = await rig.makeFolder('link');
  if (process.getuid?.() === 0) {
    // As the session does it: root's folder, through which the gateway's group may pass.
    await chown(folder, 0, rig.user.gid);
    await chmod(folder, 0o710);
  }
  await listen();
  gateway = await rig.startGateway(folder);
  sandbox = await rig.startSandbox(gateway, '/tmp');
  await linked();
});
afterAll(async () => {
  await rig.close();
  link.close();
});

describe('the gateway', () => {
  it('has no power left in any set, for good, and is the sandbox’s user', async () => {
    const { stdout } = await rig.run(gateway, 'cat /proc/1/status');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
      expect(stdout).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    }
    expect(stdout).toMatch(/^NoNewPrivs:\s+1$/m);
    const { uid, gid } = rig.user;
    expect(stdout).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, 'm'));
    expect(stdout).toMatch(new RegExp(`^Gid:\\s+${gid}\\s+${gid}\\s+${gid}\\s+${gid}$`, 'm'));
    expect(stdout).toMatch(/^Groups:\s*$/m);
  });

  it('is one small program once the trap is built', async () => {
    const { stdout } = await rig.run(
      gateway,
      String.raw`grep VmRSS /proc/1/status; tr '\0' ' ' < /proc/1/cmdline`,
    );
    expect(Number(/VmRSS:\s+(\d+) kB/.exec(stdout)?.[1])).toBeLessThan(2048);
    expect(stdout).toMatch(/^\/opt\/glovebox\/gateway \d+ \d+ $/m);
  });

  it('has no device but lo and no route out of it', async () => {
    const { stdout } = await rig.run(
      gateway,
      'ls /sys/class/net; ip -o route show table all; ip -o -6 route show table all',
    );
    const lines = stdout.trim().split('\n');
    expect(lines[0]).toBe('lo');
    for (const line of lines.slice(1)) expect(line).toMatch(/ dev lo /);
  });

  it.each([
    ['93.184.216.34', 443, '93.184.216.34:443'],
    ['169.254.169.254', 80, '169.254.169.254:80'],
    ['2001:db8::7', 8443, '[2001:db8::7]:8443'],
    ['10.0.0.1', 22, '10.0.0.1:22'],
    ['0.0.0.1', 1234, '0.0.0.1:1234'],
  ])(
    'hands on a connection to %s port %i with its first destination and its own address',
    async (address, port, authority) => {
      expect(
        await python(`
s = socket.socket(family("${address}"), socket.SOCK_STREAM); s.connect(("${address}", ${port}))
print(s.getsockname()[1]); s.sendall(b"ping"); s.shutdown(1); got = b""
while True:
  part = s.recv(100)
  if not part: break
  got += part
print(got)`),
      ).toMatch(new RegExp(`^\\d+\\nb'hello ${authority.replace(/[[\].]/g, '\\$&')}\\\\nping'$`));
      const found = seen.find((one) => one.to === authority);
      expect(found?.source).toMatch(address.includes(':') ? /^\[.+\]:\d+$/ : /^[\d.]+:\d+$/);
    },
  );

  it('answers DNS wherever it is asked, over UDP and TCP', async () => {
    const lines = await python(`
q = bytes.fromhex("${QUERY}")
for a in ("192.0.2.53", "127.0.0.1", "127.0.0.11", "8.8.8.8", "::1", "2001:db8::53"):
  print(udp(a, 53, q))
print(tcp("192.0.2.53", 53, (len(q).to_bytes(2, "big") + q) * 2).hex())
print(socket.getaddrinfo("example.com", 443, socket.AF_INET)[0][4][0])`);
    const answer = dnsAnswer(Buffer.from(QUERY, 'hex')).toString('hex');
    const length = (answer.length / 2).toString(16).padStart(4, '0');
    expect(lines.split('\n')).toEqual([
      ...Array.from({ length: 6 }, () => answer),
      `${length}${answer}`.repeat(2),
      '198.18.0.1',
    ]);
    const asked = seen.filter(({ kind }) => kind === 'dns');
    expect(asked).toContainEqual(
      expect.objectContaining({
        facts: { query: QUERY },
        source: expect.stringMatching(/^192\.0\.2\.53:\d+$/) as string,
      }),
    );
  });

  it('refuses other UDP, and says so; what programs say to each other is nobody’s business', async () => {
    const before = seen.length;
    expect(
      await python(`
print(udp("8.8.8.8", 5353, b"hello"), udp("2001:db8::9", 4433), udp("127.0.0.1", 5353), udp("::1", 4433))
a = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); a.bind(("127.0.0.1", 5353))
b = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); b.sendto(b"in", ("127.0.0.1", 5353)); print(a.recv(10))`),
    ).toBe(
      "ConnectionRefusedError ConnectionRefusedError ConnectionRefusedError ConnectionRefusedError\nb'in'",
    );
    const reports = () =>
      seen
        .slice(before)
        .filter(({ kind }) => kind === 'refused')
        .map(({ facts }) => facts);
    await expect.poll(() => reports().length, { timeout: 5000 }).toBe(2);
    expect(reports()).toMatchObject([
      { code: 'egress.udp', host: '8.8.8.8', port: 5353, bytesOut: 5 },
      { code: 'egress.udp', host: '2001:db8::9', port: 4433, bytesOut: 1 },
    ]);
    await new Promise((resolve) => {
      setTimeout(resolve, 1200);
    });
    expect(reports()).toHaveLength(2);
  });

  it('records a datagram whose header is as long as it gets', async () => {
    const before = seen.length;
    await python(`
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1] * 40)); s.sendto(b"hello", ("203.0.113.8", 443))`);
    const reports = () => seen.slice(before).filter(({ kind }) => kind === 'refused');
    await expect.poll(reports, { timeout: 5000 }).toHaveLength(1);
    expect(reports()).toMatchObject([{ facts: { host: '203.0.113.8', port: 443, bytesOut: 5 } }]);
  });

  it('serves others through a flood of questions', async () => {
    const began = seen.length;
    expect(
      await python(`
import threading
q = bytes.fromhex("${QUERY}"); stop = False
def flood():
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.connect(("192.0.2.53", 53)); s.setblocking(False)
  while not stop:
    try: s.send(q)
    except OSError: pass
threads = [threading.Thread(target=flood) for i in range(2)]
for t in threads: t.start()
time.sleep(0.5); began = time.perf_counter()
answers = [tcp("192.0.2.9", 80) for i in range(20)]
took = time.perf_counter() - began; stop = True
for t in threads: t.join()
print(all(a.startswith(b"hello") for a in answers), took < 10)`),
    ).toBe('True True');
    const asked = seen.slice(began).filter(({ kind }) => kind === 'dns').length;
    // A few seconds at most, and no more than the cap in each.
    expect(asked).toBeLessThan(MAX_QUERIES_PER_SECOND * 13);
    await new Promise((resolve) => {
      setTimeout(resolve, 1100);
    });
    expect(await python('print(socket.gethostbyname("example.com"))')).toBe('198.18.0.1');
  });

  it('folds a flood of datagrams and goes on', async () => {
    const before = seen.length;
    await python(`
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(5000):
  try: s.sendto(b"x", ("203.0.113.9", 1000 + i % 50))
  except OSError: pass`);
    const reports = () => seen.slice(before).filter(({ kind }) => kind === 'refused');
    await expect.poll(() => reports().length, { timeout: 5000 }).toBeGreaterThan(0);
    await new Promise((resolve) => {
      setTimeout(resolve, 2000);
    });
    expect(reports().length).toBeLessThan(500);
    expect(await python('print(tcp("192.0.2.9", 80))')).toContain('hello');
  });

  it('lets no ping through', async () => {
    expect(
      await python(`
try:
  s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP); s.settimeout(1)
  s.connect(("8.8.8.8", 0)); s.send(bytes.fromhex("0800000000000001")); print(s.recv(100))
except OSError as e: print("refused")`),
    ).toBe('refused');
  });

  it('refuses and reports connections to itself, and leaves the sandbox’s own alone', async () => {
    const before = seen.length;
    expect(
      await python(`
print(tcp("127.0.0.1", 15001), tcp("::1", 15001), tcp("127.0.0.1", 3000), tcp("127.5.5.5", 15001))
for address in ("127.0.0.1", "::1"):
  s = socket.socket(family(address), socket.SOCK_STREAM); s.bind((address, 3000)); s.listen()
  c = socket.socket(family(address), socket.SOCK_STREAM); c.connect((address, 3000)); c.send(b"own"); print(s.accept()[0].recv(10))`),
    ).toBe(
      "ConnectionResetError ConnectionResetError ConnectionRefusedError ConnectionRefusedError\nb'own'\nb'own'",
    );
    const later = () => seen.slice(before);
    await expect.poll(() => later().length).toBe(2);
    expect(later()).toMatchObject([
      { kind: 'refused', to: '127.0.0.1:15001', facts: { code: 'egress.loop' } },
      { kind: 'refused', to: '[::1]:15001', facts: { code: 'egress.loop' } },
    ]);
  });

  it('passes a refusal and a break on as a reset, and a program’s own reset to the broker', async () => {
    expect(await python('print(tcp("192.0.2.1", 9000))')).toBe('ConnectionResetError');
    const broken = `
s = socket.create_connection(("192.0.2.1", 9002)); s.sendall(b"ping"); print(s.recv(100))
try: print(s.recv(100))
except OSError as e: print(type(e).__name__)`;
    expect(await python(broken)).toBe("b'half'\nConnectionResetError");
    const before = failures.length;
    await python(`
import struct
s = socket.create_connection(("192.0.2.1", 9003)); s.recv(100)
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)); s.close()`);
    await expect.poll(() => failures.slice(before)).toContain('ECONNRESET');
  });

  it('holds a thousand connections at once', async () => {
    expect(
      await python(`
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
all = [socket.create_connection(("192.0.2.7", 9003)) for i in range(1200)]
print(sum(s.recv(100) == b"hello 192.0.2.7:9003\\n" for s in all))`),
    ).toBe('1200');
    expect(await python('print(tcp("192.0.2.9", 80))')).toContain('hello');
  });

  it('moves bytes fast', async () => {
    const seconds = Number(
      await python(`
s = socket.create_connection(("192.0.2.1", 9001)); began = time.perf_counter(); total = 0
while True:
  part = s.recv(1 << 20)
  if not part: break
  total += len(part)
assert total == 256 << 20, total
print(time.perf_counter() - began)`),
    );
    console.log(`link: ${Math.round(256 / seconds)} MiB/s to the sandbox`);
    // Measured at several hundred; a fifth of the slowest would still show a stalled window.
    expect(256 / seconds).toBeGreaterThan(40);
  });

  it('refuses at once while the link is down, and is back with it', async () => {
    link.close();
    expect(
      await python(`
began = time.perf_counter()
print(tcp("192.0.2.9", 80), udp("192.0.2.53", 53, bytes.fromhex("${QUERY}")), tcp("192.0.2.53", 53))
try: socket.getaddrinfo("example.com", 443)
except socket.gaierror as e: print(e.errno == socket.EAI_AGAIN)
assert time.perf_counter() - began < 1`),
    ).toBe('ConnectionRefusedError ConnectionRefusedError ConnectionRefusedError\nTrue');
    links = 0;
    await listen();
    await linked();
    expect(await python('print(tcp("192.0.2.9", 80))')).toContain('hello');
  });

  it('waits for a program that took its place while the link was down, and nothing leaves till then', async () => {
    link.close();
    const squatter = python(`
import os
for i in range(3000):
  try: s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", 15053)); break
  except OSError: time.sleep(0.01)
else: sys.exit("the port never came free")
open("/tmp/squatted", "w")
while not os.path.exists("/tmp/linkable"): time.sleep(0.01)
time.sleep(1)
print(tcp("192.0.2.9", 80), tcp("192.0.2.53", 53))`);
    await expect.poll(async () => (await rig.run(sandbox, 'test -e /tmp/squatted')).exit).toBe(0);
    links = 0;
    await listen();
    await rig.run(sandbox, 'touch /tmp/linkable');
    expect(await squatter).toBe('ConnectionRefusedError ConnectionRefusedError');
    await linked();
    expect(await python('print(tcp("192.0.2.9", 80))')).toContain('hello');
    expect(await python('print(socket.gethostbyname("example.com"))')).toBe('198.18.0.1');
  });

  it('leaves no way out when the gateway is gone', async () => {
    await promisify(execFile)('docker', ['kill', gateway]);
    expect(
      await python(`
print(tcp("93.184.216.34", 443), tcp("2001:db8::7", 443), udp("8.8.8.8", 53), udp("8.8.8.8", 99))
print(open("/proc/net/dev").read().count(":"))`),
    ).toBe(
      'ConnectionRefusedError ConnectionRefusedError ConnectionRefusedError ConnectionRefusedError\n1',
    );
  });
});
