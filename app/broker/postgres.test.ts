import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../kit/index.ts';
import {
  AUTH,
  authenticationMessage,
  initialResponse,
  postgresMessage,
  readAuthentication,
  readInitialResponse,
  readPostgresMessage,
  type PostgresMessage,
} from './process/wires/postgres-message.ts';
import {
  cancelRequest,
  readStartup,
  sslRequest,
  startupMessage,
  type Startup,
} from './process/wires/postgres-startup.ts';
import { readFirst } from './process/wires/read-first.ts';
import { createScramClient, createScramServer, SCRAM } from './process/wires/scram.ts';
import { createRig, type Rig } from './testing/setup.ts';

const PASSWORD = 'the-real-database-password';
const LIMITS = { maxBytes: 65_536, withinMs: 10_000 };

const message = async (stream: Duplex): Promise<PostgresMessage> => {
  const read = await readFirst(stream, systemClock, LIMITS, (bytes) => {
    const reading = readPostgresMessage(bytes);
    return reading.type === 'read'
      ? { value: reading.message, used: reading.message.raw.length }
      : undefined;
  });
  if ('failed' in read) throw new Error(read.failed);
  return read.value;
};

const nextStartup = async (stream: Duplex): Promise<Startup> => {
  const read = await readFirst(stream, systemClock, LIMITS, (bytes) => {
    const reading = readStartup(bytes);
    return reading.type === 'read' ? { value: reading.startup, used: reading.used } : undefined;
  });
  if ('failed' in read) throw new Error(read.failed);
  return read.value;
};

/** A server without TLS, whose address the rig names; it echoes queries. */
const startServer = async () => {
  const seen: Startup[] = [];
  const sockets = new Set<Socket>();
  const talk = async (socket: Socket): Promise<void> => {
    for (;;) {
      const startup = await nextStartup(socket);
      seen.push(startup);
      if (startup.type === 'ssl') {
        socket.write('N');
        continue;
      }
      if (startup.type === 'cancel') {
        socket.end();
        return;
      }
      break;
    }
    const last = seen.at(-1);
    const user = last?.type === 'startup' ? last.parameters[0]?.[1] : undefined;
    if (user === 'told') {
      socket.end(postgresMessage('E', Buffer.from(`SFATAL\0C28000\0Mnot with ${PASSWORD}\0\0`)));
      return;
    }
    socket.write(authenticationMessage(AUTH.sasl, Buffer.from(`${SCRAM}\0\0`)));
    const server = createScramServer([PASSWORD], SCRAM, undefined);
    const first = server.first(readInitialResponse((await message(socket)).body)?.message ?? '');
    socket.write(authenticationMessage(AUTH.saslContinue, Buffer.from(first ?? '')));
    const proved = await server.final((await message(socket)).body.toString('latin1'));
    if (proved === undefined) {
      socket.end(postgresMessage('E', Buffer.from('SFATAL\0C28P01\0Mwrong password\0\0')));
      return;
    }
    socket.write(authenticationMessage(AUTH.saslFinal, Buffer.from(proved.message)));
    socket.write(authenticationMessage(AUTH.ok));
    if (user === 'shown') socket.write(postgresMessage('S', Buffer.from(`key\0${PASSWORD}\0`)));
    socket.write(postgresMessage('K', Buffer.from([0, 0, 0, 5, 0, 0, 0, 6])));
    socket.write(postgresMessage('Z', Buffer.from('I')));
    socket.pipe(socket);
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    talk(socket).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    seen,
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
};

/** A client's login over what is there; the type and the text of the message that decided it. */
const logIn = async (stream: Duplex, password: string, minor = 0, user = 'me'): Promise<string> => {
  const startup = startupMessage([
    ['user', user],
    ...(minor > 0 ? [['_pq_.some_option', 'on'] as const] : []),
  ]);
  startup.writeUInt16BE(minor, 6);
  stream.write(startup);
  const client = createScramClient(password, undefined, false);
  for (;;) {
    const { type, body } = await message(stream);
    if (type === 'v') {
      expect(body.readInt32BE(0)).toBe(0);
      expect(body.toString('latin1', 8)).toBe('_pq_.some_option\0');
    }
    if (type === 'E') return body.toString();
    if (type === 'Z') return 'ready';
    const request = type === 'R' ? readAuthentication(body) : undefined;
    const text = request?.data.toString('latin1') ?? '';
    if (request?.kind === AUTH.sasl) stream.write(initialResponse(SCRAM, client.first));
    if (request?.kind === AUTH.saslContinue) {
      stream.write(postgresMessage('p', Buffer.from((await client.final(text)) ?? '')));
    }
    if (request?.kind === AUTH.saslFinal) expect(client.verify(text)).toBe(true);
  }
};

describe('a granted PostgreSQL password', () => {
  let rig: Rig;
  let server: Awaited<ReturnType<typeof startServer>>;

  beforeAll(async () => {
    server = await startServer();
    rig = await createRig({
      allow: ['db.test:5432', 'other-db.test:5432'],
      resolve: [
        `db.test:5432:127.0.0.1:${String(server.port)}`,
        `denied-db.test:5432:127.0.0.1:${String(server.port)}`,
      ],
      grants: [
        { kind: 'postgres', hosts: ['db.test', 'denied-db.test'], secret: PASSWORD },
        { kind: 'postgres', hosts: ['other-db.test'], secret: `${PASSWORD}-other` },
      ],
    });
  });
  afterAll(async () => {
    await rig.close();
    server.close();
  });

  const placeholder = (index = 0): string => rig.grants[index]?.placeholder ?? 'none';
  /** Whether a connection is on the record as refused with this code, since then. */
  const denied = async (code: string, since = 0): Promise<boolean> => {
    await rig.until(
      () =>
        rig.events
          .slice(since)
          .some(
            (event) => event.kind === 'egress' && event.code === code && event.verdict === 'denied',
          ),
      `a refusal with ${code}`,
    );
    return true;
  };
  const toDb = (host = 'db.test'): Promise<Duplex> => rig.tcp(host, 5432);
  const secure = (socket: Duplex, servername: string, alpn: string[] = []): Promise<TLSSocket> =>
    new Promise((resolve, reject) => {
      const tls = connectTls({
        socket,
        servername,
        ca: rig.broker.authority.certificatePem,
        ...(alpn.length > 0 ? { ALPNProtocols: alpn } : {}),
      });
      tls.once('secureConnect', () => resolve(tls));
      tls.once('error', reject);
    });

  it('logs in for the program that holds its placeholder, which never sees it', async () => {
    const before = (await rig.egress(0)).length;
    const socket = await toDb();
    expect(await logIn(socket, placeholder())).toBe('ready');
    socket.write(postgresMessage('Q', Buffer.from('SELECT 1\0')));
    expect((await message(socket)).body.toString()).toBe('SELECT 1\0');
    socket.end();
    const event = (await rig.egress(before + 1))[before];
    expect(event).toMatchObject({
      verdict: 'allowed',
      host: 'db.test',
      port: 5432,
      credential: 'cred-0',
      bytesOut: 14,
      bytesIn: 14,
    });
    expect(rig.opened.some(({ id }) => id === event?.id)).toBe(true);
    expect(rig.events).toContainEqual(
      expect.objectContaining({ kind: 'credential', op: 'used', credential: 'cred-0' }),
    );
  });

  it('takes TLS after asking for it, and TLS from the start', async () => {
    const asked = await toDb();
    asked.write(sslRequest());
    const answer = await readFirst(asked, systemClock, LIMITS, (bytes) => ({
      value: bytes.toString('latin1', 0, 1),
      used: 1,
    }));
    expect(answer).toEqual({ value: 'S' });
    const negotiated = await secure(asked, 'db.test');
    expect(await logIn(negotiated, placeholder())).toBe('ready');
    negotiated.destroy();
    const direct = await secure(await toDb(), 'db.test', ['postgresql']);
    expect(direct.alpnProtocol).toBe('postgresql');
    expect(await logIn(direct, placeholder())).toBe('ready');
    direct.destroy();
  });

  it('does not end TLS that is meant for another server', async () => {
    const socket = await toDb();
    await expect(secure(socket, 'elsewhere.test', ['postgresql'])).rejects.toThrow(/access denied/);
    expect(await denied('egress.authority-mismatch')).toBe(true);
  });

  it('speaks 3.0 with a client that would like more, and passes no option on', async () => {
    const socket = await toDb();
    expect(await logIn(socket, placeholder(), 2)).toBe('ready');
    socket.destroy();
    const last = server.seen.findLast(({ type }) => type === 'startup');
    expect(last).toEqual({ type: 'startup', minor: 0, parameters: [['user', 'me']] });
  });

  it.each([
    ['a wrong password', 'db.test', () => 'a guess', 'grant.wrong-password'],
    ['another credential’s placeholder', 'db.test', () => placeholder(1), 'grant.wrong-host'],
    ['the real password', 'db.test', () => PASSWORD, 'grant.wrong-password'],
    ['no rule for the host', 'denied-db.test', () => placeholder(), 'egress.no-rule'],
  ])('is not used with %s, and the program reads why', async (_what, host, password, code) => {
    const before = server.seen.length;
    const asked = rig.events.length;
    expect(await logIn(await toDb(host), password())).toContain(`(${code})`);
    expect(server.seen).toHaveLength(before);
    expect(await denied(code, asked)).toBe(true);
  });

  it.each([
    ['a greeting', 'shown', 'scrub.cut'],
    ['the words of a refusal', 'told', 'grant.login-refused'],
  ])('does not come back in %s', async (_what, user, code) => {
    const words = await logIn(await toDb(), placeholder(), 0, user);
    expect(words).toContain(`(${code})`);
    expect(words).not.toContain(PASSWORD);
    await rig.until(
      () => rig.events.some((event) => event.kind === 'egress' && event.code === code),
      `a record of ${code}`,
    );
    expect(JSON.stringify(rig.events)).not.toContain(PASSWORD);
  });

  it('is used for a program that comes late, too: nothing goes by the login', async () => {
    const socket = await toDb();
    await new Promise((resolve) => setTimeout(resolve, 700));
    const before = server.seen.length;
    expect(await logIn(socket, placeholder())).toBe('ready');
    expect(server.seen.slice(before).map(({ type }) => type)).toEqual(['ssl', 'startup']);
    socket.destroy();
  });

  it('notices a placeholder in the start-up message', async () => {
    const socket = await toDb();
    socket.write(
      startupMessage([
        ['user', 'me'],
        ['application_name', placeholder()],
      ]),
    );
    expect((await message(socket)).body.toString()).toContain('(grant.wrong-place)');
    await rig.until(
      () =>
        rig.events.some(
          (event) => event.kind === 'credential' && event.code === 'grant.wrong-place',
        ),
      'the tripwire on the record',
    );
  });

  it('lets a query of a living connection be cancelled, and no other', async () => {
    const socket = await toDb();
    expect(await logIn(socket, placeholder())).toBe('ready');
    const cancel = async (key: number): Promise<void> => {
      const other = await toDb();
      other.write(cancelRequest(5, key));
      other.resume();
      await new Promise((resolve) => other.once('end', resolve));
    };
    const cancels = (): number => server.seen.filter(({ type }) => type === 'cancel').length;
    await cancel(6);
    expect(cancels()).toBe(1);
    await cancel(7);
    expect(cancels()).toBe(1);
    socket.destroy();
    await rig.until(
      () => rig.events.some((event) => event.kind === 'egress' && event.code === 'egress.aborted'),
      'the end of the login',
    );
    await cancel(6);
    expect(cancels()).toBe(1);
  });

  it('is not gone around: what is no start-up of it is not passed on', async () => {
    const before = server.seen.length;
    const socket = await toDb();
    socket.write(Buffer.from([0, 0, 0, 9, 1, 2, 3, 4, 5]));
    expect((await message(socket)).body.toString()).toContain('(egress.bad-request)');
    expect(server.seen).toHaveLength(before);
  });
});
