import { createHash, randomBytes, X509Certificate } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import {
  authentication,
  CANCEL_REQUEST,
  createWire,
  GSSENC_REQUEST,
  SSL_REQUEST,
  wireMessage,
  type Wire,
} from './postgres-wire.ts';
import { createReferenceServer } from './reference-scram.ts';

/** What a server does at one login. */
export type DatabaseScript = {
  readonly method: 'scram' | 'md5' | 'cleartext' | 'none' | 'unknown';
  /** What it does wrong, for it may be anyone. */
  readonly wrong: 'nothing' | 'signature' | 'no proof' | 'few rounds' | 'other nonce' | 'refuses';
  /** Said on top of what a server says: at the greeting, in an error, with each row. */
  readonly greeting: string;
  readonly error: string;
  readonly rows: readonly string[];
};

/** One login as a server saw it. */
export type Login = {
  readonly encrypted: boolean;
  readonly parameters: readonly (readonly [string, string])[];
  readonly proved: boolean;
  readonly cleartext: string | undefined;
  readonly processId: number;
  readonly key: number;
  /** All that came but a password that was asked for as it is. */
  readonly received: () => Buffer;
  /** What came and what was said after the login. */
  readonly queries: () => Buffer;
  readonly said: () => Buffer;
};

export type DatabaseServer = {
  readonly server: Server;
  readonly logins: Map<string, Login[]>;
  readonly cancels: string[];
  readonly scripts: Map<string, DatabaseScript>;
};

const md5 = (...parts: readonly (string | Buffer)[]): string => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

const readParameters = (body: Buffer): (readonly [string, string])[] => {
  const texts = body.toString('latin1').split('\0');
  const pairs: (readonly [string, string])[] = [];
  for (let at = 0; (texts[at] ?? '') !== ''; at += 2)
    pairs.push([texts[at] ?? '', texts[at + 1] ?? '']);
  return pairs;
};

const errorMessage = (state: string, words: string): Buffer =>
  wireMessage('E', `SFATAL\0C${state}\0M${words}\0\0`);

type Proof = { readonly proved: boolean; readonly cleartext?: string | undefined };

/**
 * A PostgreSQL server in small: checks SCRAM’s proof and its binding, or MD5, echoes parameters and
 * queries, and does and says what it is told.
 */
export const createDatabaseServer = (
  password: string,
  /** Where it speaks TLS. */
  certificate: { readonly key: string; readonly cert: string } | undefined,
): DatabaseServer => {
  const logins = new Map<string, Login[]>();
  const cancels: string[] = [];
  const scripts = new Map<string, DatabaseScript>();
  const raw = certificate === undefined ? undefined : new X509Certificate(certificate.cert).raw;
  let processes = 100;

  const scram = async (
    stream: Duplex,
    wire: Wire,
    script: DatabaseScript,
    encrypted: boolean,
  ): Promise<Proof> => {
    const offers = encrypted ? 'SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0' : 'SCRAM-SHA-256\0\0';
    stream.write(authentication(10, offers));
    const initial = await wire.message();
    const text = initial?.body.toString('latin1') ?? '';
    const rounds = script.wrong === 'few rounds' ? 1000 : undefined;
    const server = createReferenceServer(password, encrypted ? raw : undefined, rounds);
    const first = server.first(text.slice(text.indexOf('\0') + 5));
    stream.write(
      authentication(11, script.wrong === 'other nonce' ? first.replace('r=', 'r=x') : first),
    );
    const final = await wire.message();
    const { proved, message } = server.final(final?.body.toString('latin1') ?? '');
    if (script.wrong === 'no proof') return { proved };
    const signature =
      script.wrong === 'signature' ? `v=${randomBytes(32).toString('base64')}` : message;
    if (proved) stream.write(authentication(12, signature));
    return { proved };
  };

  const prove = async (
    stream: Duplex,
    wire: Wire,
    script: DatabaseScript,
    user: string,
    encrypted: boolean,
  ): Promise<Proof> => {
    switch (script.method) {
      case 'scram':
        return scram(stream, wire, script, encrypted);
      case 'md5': {
        const salt = randomBytes(4);
        stream.write(authentication(5, salt));
        const answer = (await wire.message())?.body.toString('latin1') ?? '';
        return {
          proved: answer === `md5${md5(md5(password, Buffer.from(user, 'latin1')), salt)}\0`,
        };
      }
      case 'cleartext': {
        stream.write(authentication(3));
        const cleartext = (await wire.message())?.body.toString('latin1');
        return { proved: cleartext === `${password}\0`, cleartext };
      }
      case 'none':
        return { proved: true };
      case 'unknown':
        stream.write(authentication(7));
        return { proved: (await wire.message()) === undefined && false };
      default:
        return script.method satisfies never;
    }
  };

  const serve = async (
    stream: Duplex,
    wire: Wire,
    body: Buffer,
    encrypted: boolean,
  ): Promise<void> => {
    const parameters = readParameters(body);
    const valueOf = (name: string): string =>
      parameters.find(([other]) => other === name)?.[1] ?? '';
    const id = valueOf('application_name');
    const script = scripts.get(id);
    if (script === undefined) {
      stream.destroy();
      return;
    }
    processes += 1;
    const processId = processes;
    const key = randomBytes(4).readInt32BE(0);
    const said: Buffer[] = [];
    let queries = 0;
    let proof: Proof = { proved: false };
    const login: Login = {
      encrypted,
      parameters,
      get proved() {
        return proof.proved;
      },
      get cleartext() {
        return proof.cleartext;
      },
      processId,
      key,
      received: () => {
        const { cleartext } = proof;
        const all = wire.all();
        return cleartext === undefined
          ? all
          : Buffer.from(all.toString('latin1').replace(cleartext, ''), 'latin1');
      },
      queries: () => (queries === 0 ? Buffer.alloc(0) : wire.all().subarray(queries)),
      said: () => Buffer.concat(said),
    };
    logins.set(id, [...(logins.get(id) ?? []), login]);
    if (script.wrong === 'refuses') {
      stream.end(errorMessage('28000', `not today ${script.error}`));
      return;
    }
    proof = await prove(stream, wire, script, valueOf('user'), encrypted);
    if (!proof.proved) {
      stream.end(errorMessage('28P01', `wrong password ${script.error}`));
      return;
    }
    queries = wire.all().length;
    const keyBytes = Buffer.alloc(8);
    keyBytes.writeInt32BE(processId, 0);
    keyBytes.writeInt32BE(key, 4);
    stream.write(
      Buffer.concat([
        authentication(0),
        ...parameters.map(([name, value]) => wireMessage('S', `${name}\0${value}\0`)),
        ...(script.greeting === '' ? [] : [wireMessage('N', `SNOTICE\0M${script.greeting}\0\0`)]),
        wireMessage('K', keyBytes),
        wireMessage('Z', 'I'),
      ]),
    );
    for (let count = 0; ; count += 1) {
      const message = await wire.message();
      if (message === undefined || message.type === 'X') break;
      const answer = Buffer.concat([
        wireMessage('D', message.body, script.rows[count] ?? ''),
        wireMessage('C', 'SELECT 1\0'),
        wireMessage('Z', 'I'),
      ]);
      said.push(answer);
      stream.write(answer);
    }
    stream.end();
  };

  const open = async (socket: Socket): Promise<void> => {
    let stream: Duplex = socket;
    let encrypted = false;
    let wire = createWire(socket);
    for (;;) {
      const packet = await wire.packet();
      if (packet === undefined) {
        socket.destroy();
        return;
      }
      if (packet.code === CANCEL_REQUEST) {
        cancels.push(`${String(packet.body.readInt32BE(0))} ${String(packet.body.readInt32BE(4))}`);
        stream.end();
        return;
      }
      if (packet.code === GSSENC_REQUEST) {
        stream.write('N');
        continue;
      }
      if (packet.code !== SSL_REQUEST) {
        await serve(stream, wire, packet.body, encrypted);
        return;
      }
      if (certificate === undefined) {
        stream.write('N');
        continue;
      }
      stream.write('S');
      // What is read from here on is the handshake’s.
      socket.removeAllListeners('data');
      stream = new TLSSocket(socket, {
        isServer: true,
        ...certificate,
        ALPNProtocols: ['postgresql'],
      });
      stream.on('error', () => undefined);
      encrypted = true;
      wire = createWire(stream);
    }
  };

  return {
    server: createServer((socket) => {
      open(socket).catch(() => socket.destroy());
    }),
    logins,
    cancels,
    scripts,
  };
};
