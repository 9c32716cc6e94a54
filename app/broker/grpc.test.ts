import { createServer, type AddressInfo, type Server as TcpServer } from 'node:net';
import {
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  status,
  Client,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type ServiceDefinition,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing/certificates.ts';
import { createRig, SECRET, type Rig } from './testing/setup.ts';

/** Messages as they are: what is tried is the carriage, not the encoding. */
const same = (message: Buffer): Buffer => message;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});
const SERVICE = {
  unary: method('Unary', false, false),
  many: method('Many', false, true),
  chat: method('Chat', true, true),
  fails: method('Fails', false, false),
  hangs: method('Hangs', false, false),
} satisfies ServiceDefinition;

describe('gRPC with a client and a server of its own makers', () => {
  let rig: Rig;
  let server: Server;
  let way: TcpServer;
  let client: Client;
  const keys: string[] = [];
  let hanging = 0;
  let cancelled = 0;

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const { key, cert } = await authority.issue(['grpc.test']);
    server = new Server();
    server.addService(SERVICE, {
      unary: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        const sent = String(call.metadata.get('authorization')[0]);
        keys.push(sent);
        const trailers = new Metadata();
        trailers.set('x-echo', sent);
        done(null, Buffer.from(`${call.request.toString()} ${sent}`), trailers);
      },
      many: (call: ServerWritableStream<Buffer, Buffer>) => {
        for (let count = 0; count < 200; count += 1) call.write(Buffer.alloc(10_000, count));
        call.end();
      },
      chat: (call: ServerDuplexStream<Buffer, Buffer>) => {
        call.on('data', (message: Buffer) => call.write(message));
        call.on('end', () => call.end());
      },
      fails: (_call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => {
        done({ code: status.FAILED_PRECONDITION, details: 'not now' });
      },
      hangs: (call: ServerUnaryCall<Buffer, Buffer>) => {
        hanging += 1;
        call.on('cancelled', () => {
          cancelled += 1;
        });
      },
    });
    const identity = ServerCredentials.createSsl(null, [
      { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) },
    ]);
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', identity, (failed, bound) => {
        if (failed === null) resolve(bound);
        else reject(failed);
      });
    });
    rig = await createRig({
      authority,
      allow: ['grpc.test'],
      resolve: [`grpc.test:443:127.0.0.1:${String(port)}`],
      grants: [{ kind: 'bearer', hosts: ['grpc.test'] }],
    });
    // The client dials by itself; this is the way that the sandbox's network would take it.
    way = createServer((socket) => {
      socket.on('error', () => undefined);
      void rig.tcp('grpc.test', 443).then((inside) => {
        inside.on('error', () => socket.destroy());
        socket.pipe(inside);
        inside.pipe(socket);
        socket.once('close', () => inside.destroy());
      });
    });
    await new Promise<void>((resolve) => way.listen(0, '127.0.0.1', resolve));
    const trust = credentials.createSsl(Buffer.from(rig.broker.authority.certificatePem));
    client = new Client(`127.0.0.1:${String((way.address() as AddressInfo).port)}`, trust, {
      'grpc.ssl_target_name_override': 'grpc.test',
      'grpc.default_authority': 'grpc.test',
    });
  });
  afterAll(async () => {
    client.close();
    server.forceShutdown();
    way.close();
    await rig.close();
  });

  const placeholder = (): string => rig.grants[0]?.placeholder ?? '';
  const login = (): Metadata => {
    const metadata = new Metadata();
    metadata.set('authorization', `Bearer ${placeholder()}`);
    return metadata;
  };
  const unary = (
    name: 'unary' | 'fails' | 'hangs',
    metadata: Metadata,
    deadlineMs = 10_000,
  ): Promise<{ readonly text?: string; readonly failed?: ServiceError; readonly echo: string }> =>
    new Promise((resolve) => {
      let echo = '';
      const { path } = SERVICE[name];
      const deadline = Date.now() + deadlineMs;
      const message = Buffer.from('hello');
      const call = client.makeUnaryRequest<Buffer, Buffer>(
        path,
        same,
        same,
        message,
        metadata,
        { deadline },
        (failed, answer) => {
          // The status comes after the callback of a call that went well.
          setImmediate(() =>
            resolve({
              ...(failed === null ? {} : { failed }),
              ...(answer === undefined ? {} : { text: answer.toString() }),
              echo,
            }),
          );
        },
      );
      call.on('status', ({ metadata: trailers }) => {
        echo = String(trailers.get('x-echo')[0] ?? '');
      });
    });

  it('injects into metadata, and scrubs messages and trailers', async () => {
    const answer = await unary('unary', login());
    expect(keys.at(-1)).toBe(`Bearer ${SECRET}`);
    expect(answer.failed).toBeUndefined();
    expect(answer.text).not.toContain(SECRET);
    expect(answer.echo).toBe(`Bearer ${placeholder()}`);
  });

  it('carries a stream of answers whole', async () => {
    const { path } = SERVICE.many;
    const stream = client.makeServerStreamRequest<Buffer, Buffer>(
      path,
      same,
      same,
      Buffer.from('go'),
    );
    const sizes: number[] = [];
    for await (const message of stream) sizes.push((message as Buffer).length);
    expect(sizes).toEqual(Array.from({ length: 200 }, () => 10_000));
  });

  it('carries a conversation message by message', async () => {
    const stream = client.makeBidiStreamRequest<Buffer, Buffer>(SERVICE.chat.path, same, same);
    const heard: string[] = [];
    stream.on('data', (message: Buffer) => heard.push(message.toString()));
    const ended = new Promise<void>((resolve) => stream.once('end', () => resolve()));
    for (const word of ['one', 'two', 'three']) {
      stream.write(Buffer.from(word));
      await rig.until(() => heard.at(-1) === word, word);
    }
    stream.end();
    await ended;
    expect(heard).toEqual(['one', 'two', 'three']);
  });

  it('passes a failure on with its words', async () => {
    const { failed } = await unary('fails', new Metadata());
    expect([failed?.code, failed?.details]).toEqual([status.FAILED_PRECONDITION, 'not now']);
  });

  it('passes a deadline on as a cancellation', async () => {
    // On a busy machine the deadline of a call may end before it has reached its server.
    // oxlint-disable-next-line no-unmodified-loop-condition -- the server modifies it
    for (let deadlineMs = 500; hanging === 0; deadlineMs *= 2) {
      const { failed } = await unary('hangs', new Metadata(), deadlineMs);
      expect(failed?.code).toBe(status.DEADLINE_EXCEEDED);
    }
    await rig.until(() => cancelled === hanging, 'the cancellation');
  });

  it('tells of a refusal in words that the client shows', async () => {
    const metadata = new Metadata();
    metadata.set('x-other', placeholder());
    const { failed } = await unary('unary', metadata);
    expect(failed?.code).toBe(status.PERMISSION_DENIED);
    expect(failed?.details).toContain('grant.wrong-place');
  });
});
