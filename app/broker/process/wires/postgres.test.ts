import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { ok, systemClock } from '../../../kit/index.ts';
import type { CanonicalHost } from '../../../policy/index.ts';
import { createTestAuthority, type TestAuthority } from '../../testing/certificates.ts';
import type { Dial } from '../dial.ts';
import {
  AUTH,
  authenticationMessage,
  postgresMessage,
  readInitialResponse,
  readPostgresMessage,
  type PostgresMessage,
} from './postgres-message.ts';
import { readStartup } from './postgres-startup.ts';
import { createPostgresUpstream, MAX_GREETING_BYTES, md5Password } from './postgres-upstream.ts';
import { readFirst } from './read-first.ts';
import { createScramServer, SCRAM, SCRAM_PLUS } from './scram.ts';
import { serverEndPoint } from './server-end-point.ts';

const HOST = 'db.test' as CanonicalHost;
const PASSWORD = 'the real password of the role';
const READY = Buffer.concat([
  authenticationMessage(AUTH.ok),
  postgresMessage('S', Buffer.from('server_version\x0015\0')),
  postgresMessage('K', Buffer.from([0, 0, 0, 7, 0, 0, 0, 9])),
  postgresMessage('Z', Buffer.from('I')),
]);
const LIMITS = { maxBytes: 65_536, withinMs: 5000 };

let authority: TestAuthority;
let identity: { key: string; cert: string };
let trust: ReturnType<typeof createSecureContext>;

beforeAll(async () => {
  authority = await createTestAuthority();
  identity = await authority.issue([HOST]);
  trust = createSecureContext({ ca: authority.pem });
});

const message = async (stream: Socket): Promise<PostgresMessage> => {
  const read = await readFirst(stream, systemClock, LIMITS, (bytes) => {
    const reading = readPostgresMessage(bytes);
    return reading.type === 'read'
      ? { value: reading.message, used: reading.message.raw.length }
      : undefined;
  });
  if ('failed' in read) throw new Error(read.failed);
  return read.value;
};

const startup = async (stream: Socket): Promise<void> => {
  await readFirst(stream, systemClock, LIMITS, (bytes) => {
    const reading = readStartup(bytes);
    return reading.type === 'read' ? { value: reading.startup, used: reading.used } : undefined;
  });
};

/** A server that answers the request for encryption as told and then does as told; and what it was sent. */
const serve = async (
  encryption: string,
  talk: (stream: Socket) => Promise<void>,
): Promise<{ dial: Dial; sent: () => string }> => {
  const sent: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    const spy = socket.push.bind(socket);
    socket.push = (chunk: Buffer | null, encoding) => {
      if (chunk !== null) sent.push(Buffer.from(chunk));
      return spy(chunk, encoding);
    };
    void (async () => {
      await startup(socket);
      socket.write(encryption);
      if (!encryption.startsWith('S')) return talk(socket);
      const tls = new TLSSocket(socket, {
        isServer: true,
        secureContext: createSecureContext(identity),
      });
      tls.on('error', () => undefined);
      return talk(tls);
    })().catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  return {
    dial: async () => {
      const socket = createConnection({ port, host: '127.0.0.1' });
      socket.on('error', () => undefined);
      onTestFinished(() => void socket.destroy());
      await new Promise((resolve) => socket.once('connect', resolve));
      return ok({ socket, address: '127.0.0.1' });
    },
    sent: () => Buffer.concat(sent).toString('latin1'),
  };
};

const logIn = async (dial: Dial, named = false) => {
  const upstream = createPostgresUpstream({
    clock: systemClock,
    dial,
    upstreamTrust: trust,
    named: () => named,
  });
  const connected = await upstream.connect(HOST, 5432);
  if (!connected.ok) return { ok: false as const, error: connected.error };
  const { socket } = connected.value;
  const result = await upstream.login(HOST, socket, [['user', 'me']], PASSWORD);
  return result.ok ? result : { ok: false as const, error: result.error.refusal };
};

/** SCRAM as a server does it; `binding` and `end` say what it gets wrong. */
const scram =
  (options: {
    offer: readonly string[];
    binding?: () => Buffer | undefined;
    password?: string;
    end?: (last: string) => Buffer;
  }) =>
  async (stream: Socket): Promise<void> => {
    await startup(stream);
    stream.write(authenticationMessage(AUTH.sasl, Buffer.from(`${options.offer.join('\0')}\0\0`)));
    const initial = readInitialResponse((await message(stream)).body);
    const server = createScramServer(
      [options.password ?? PASSWORD],
      initial?.mechanism === SCRAM_PLUS ? SCRAM_PLUS : SCRAM,
      options.binding?.(),
    );
    const first = server.first(initial?.message ?? '') ?? '';
    stream.write(authenticationMessage(AUTH.saslContinue, Buffer.from(first)));
    const { body } = await message(stream);
    const proved = await server.final(body.toString('latin1'));
    const end =
      options.end ??
      ((last: string) =>
        Buffer.concat([authenticationMessage(AUTH.saslFinal, Buffer.from(last)), READY]));
    stream.write(end(proved?.message ?? 'v=AAAA'));
  };

const certificateHash = (): Buffer | undefined =>
  serverEndPoint(Buffer.from(identity.cert.replaceAll(/-----[A-Z ]+-----|\s/g, ''), 'base64'));

describe('logging in to a PostgreSQL server', () => {
  it('binds the login to the certificate where the server offers it', async () => {
    const { dial } = await serve(
      'S',
      scram({ offer: [SCRAM_PLUS, SCRAM], binding: certificateHash }),
    );
    expect(await logIn(dial)).toMatchObject({
      ok: true,
      value: { greeting: READY, cancelKey: { processId: 7, key: 9 } },
    });
  });

  it('is of no use to a server with another certificate', async () => {
    const { dial } = await serve(
      'S',
      scram({ offer: [SCRAM_PLUS, SCRAM], binding: () => Buffer.alloc(32) }),
    );
    expect(await logIn(dial)).toMatchObject({ error: { code: 'egress.upstream-unverified' } });
  });

  it('does without the binding where the server knows none', async () => {
    const { dial } = await serve('S', scram({ offer: [SCRAM] }));
    // `y` says that it could have been: a server that did offer it takes that for an attack.
    expect(await logIn(dial)).toMatchObject({ ok: true });
    const cheated = await serve('S', scram({ offer: [SCRAM], binding: certificateHash }));
    expect(await logIn(cheated.dial)).toMatchObject({ ok: false });
  });

  it.each([
    ['accepts without proof', () => READY],
    [
      'proves nothing',
      () =>
        Buffer.concat([
          authenticationMessage(AUTH.saslFinal, Buffer.from(`v=${'A'.repeat(43)}=`)),
          READY,
        ]),
    ],
  ])('does not believe a server that %s', async (_what, end) => {
    const { dial } = await serve('N', scram({ offer: [SCRAM], end }));
    expect(await logIn(dial, true)).toMatchObject({
      ok: false,
      error: { code: 'egress.upstream-unverified' },
    });
  });

  it('sends nothing more to a server without encryption whose address nobody named', async () => {
    const { dial, sent } = await serve('N', async (stream) => startup(stream));
    expect(await logIn(dial)).toMatchObject({ error: { code: 'egress.upstream-cleartext' } });
    expect(sent()).toHaveLength(8);
  });

  it('does not read what came before encryption as if it had come after', async () => {
    const { dial } = await serve(`S${READY.toString('latin1')}`, scram({ offer: [SCRAM] }));
    expect(await logIn(dial)).toMatchObject({ error: { code: 'egress.upstream-broke' } });
  });

  it('never gives the password itself without encryption', async () => {
    const ask = async (stream: Socket): Promise<void> => {
      await startup(stream);
      stream.write(authenticationMessage(AUTH.cleartext));
    };
    const open = await serve('N', ask);
    expect(await logIn(open.dial, true)).toMatchObject({ error: { code: 'grant.cleartext' } });
    expect(open.sent()).not.toContain(PASSWORD);
    const encrypted = await serve('S', async (stream) => {
      await ask(stream);
      const { body } = await message(stream);
      stream.write(body.toString() === `${PASSWORD}\0` ? READY : 'no');
    });
    expect(await logIn(encrypted.dial)).toMatchObject({ ok: true });
  });

  it('answers one question about the password, not one after another', async () => {
    const { dial, sent } = await serve('N', async (stream) => {
      await startup(stream);
      stream.write(authenticationMessage(AUTH.md5, Buffer.from([1, 2, 3, 4])));
      await message(stream);
      stream.write(authenticationMessage(AUTH.cleartext));
    });
    expect(await logIn(dial, true)).toMatchObject({ error: { code: 'grant.login-refused' } });
    expect(sent()).not.toContain(PASSWORD);
  });

  it.each([
    ['a certificate of no trusted authority', 'egress.upstream-unverified'],
    ['another protocol', 'egress.upstream-broke'],
  ])('refuses %s', async (what, code) => {
    if (what.startsWith('a certificate')) {
      trust = createSecureContext({ ca: (await createTestAuthority()).pem });
      onTestFinished(() => {
        trust = createSecureContext({ ca: authority.pem });
      });
    }
    const { dial } = await serve(what.startsWith('a certificate') ? 'S' : 'HTTP', async (stream) =>
      startup(stream),
    );
    expect(await logIn(dial)).toMatchObject({ error: { code } });
  });

  it('stops reading a greeting without end', async () => {
    const note = postgresMessage('N', Buffer.alloc(60_000, 'x'));
    const { dial } = await serve('S', async (stream) => {
      await startup(stream);
      stream.write(authenticationMessage(AUTH.ok));
      for (let bytes = 0; bytes < 2 * MAX_GREETING_BYTES; bytes += note.length) stream.write(note);
    });
    expect(await logIn(dial)).toMatchObject({ error: { code: 'egress.upstream-broke' } });
  });

  it('hashes for MD5 as PostgreSQL documents it', () => {
    // concat('md5', md5(concat(md5(concat(password, username)), random-salt))), by another's md5.
    expect(md5Password('me', 'pw', Buffer.from([1, 2, 3, 4]))).toBe(
      'md596a0ef0da7c9c4c77c22c155d8ef42d4',
    );
  });
});
