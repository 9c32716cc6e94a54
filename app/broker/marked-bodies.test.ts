import { gzipSync } from 'node:zlib';
import { Agent, request as begin, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ClientHttp2Session } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestAuthority } from './testing/certificates.ts';
import { ask, connectHttp2 } from './testing/http2.ts';
import {
  createRig,
  listenEither,
  listenTls,
  SECRET,
  type Rig,
  type Upstream,
} from './testing/setup.ts';

const MARK_BYTES = 32;
const LETTERS = Buffer.from('.'.repeat(MARK_BYTES));
const PROGRAMS = 24;
/** Requests of each program. */
const EACH = 6;
/** A prime, so that the pieces of the bodies fall into step with nothing. */
const STEP = 7919;

/** A body whose every mark says whose it is and where it stands; the secret, or what stands for it, follows some of them. */
const marked = (id: string, marks: number, every: number, secret: string): Buffer => {
  const parts: Buffer[] = [];
  for (let at = 0; at < marks; at += 1) {
    const mark = Buffer.from(LETTERS);
    mark.write(`<${id}:${String(at)}>`, 0, 'latin1');
    parts.push(mark);
    if (every > 0 && at % every === every - 1) parts.push(Buffer.from(secret));
  }
  return Buffer.concat(parts);
};

/** What one request is answered with, told by its number alone. */
const planOf = (number: number) => ({
  id: `d${String(number)}`,
  marks: (number * STEP) % 12_000,
  every: number % 3 === 0 ? 1 + ((number * STEP) % 900) : 0,
  pieceBytes: 1 + ((number * STEP) % 50_000),
  upload:
    number % 4 === 1 ? marked(`u${String(number)}`, (number * STEP) % 9000, 0, '') : undefined,
  coded: number % 5 === 2,
  told: number % 2 === 0,
});

const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { id, marks, every, pieceBytes, upload, coded, told } = planOf(
    Number(request.url?.slice(1)),
  );
  const parts: Buffer[] = [];
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part);
  const whole = Buffer.concat(parts).equals(upload ?? Buffer.alloc(0));
  const plain = marked(id, marks, every, SECRET);
  const body = coded ? gzipSync(plain, { level: 1 }) : plain;
  response.writeHead(whole ? 200 : 400, {
    ...(coded ? { 'content-encoding': 'gzip' } : {}),
    ...(told ? { 'content-length': String(body.length) } : {}),
  });
  for (let at = 0; at < body.length; at += pieceBytes) {
    const more = response.write(body.subarray(at, at + pieceBytes));
    if (!more && !response.destroyed) {
      await new Promise<void>((resolve) => {
        response.once('drain', () => resolve());
        response.once('close', () => resolve());
      });
    }
  }
  response.end();
};

describe('bodies of many programs at once', () => {
  let rig: Rig;
  const upstreams: Upstream[] = [];

  beforeAll(async () => {
    const authority = await createTestAuthority();
    const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
      answer(request, response).catch(() => response.destroy());
    };
    const one = await listenTls(authority, ['one.test'], onRequest);
    const two = await listenEither(authority, ['two.test'], onRequest);
    upstreams.push(one, two);
    rig = await createRig({
      authority,
      allow: ['one.test', 'two.test'],
      resolve: [
        `one.test:443:127.0.0.1:${String(one.port)}`,
        `two.test:443:127.0.0.1:${String(two.port)}`,
      ],
      grants: [{ kind: 'bearer', hosts: ['one.test', 'two.test'] }],
    });
  });
  afterAll(async () => {
    await rig.close();
    for (const upstream of upstreams) await upstream.close();
  });

  /** Which answers were not what was asked for. */
  const wrong: string[] = [];
  const check = (number: number, status: number, body: Buffer): void => {
    const { id, marks, every } = planOf(number);
    const wanted = marked(id, marks, every, rig.grants[0]?.placeholder ?? '');
    if (status === 200 && body.equals(wanted)) return;
    const at = body.findIndex((byte, index) => byte !== wanted[index]);
    const seen = body.subarray(at, at + 2 * MARK_BYTES).toString('latin1');
    wrong.push(`${id}: ${String(status)}, ${String(body.length)} bytes, at ${String(at)} ${seen}`);
  };
  const overHttp1 = async (first: number): Promise<void> => {
    const socket = await rig.tls('one.test');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    agent.createConnection = () => socket;
    for (let number = first; number < first + EACH; number += 1) {
      const { upload } = planOf(number);
      await new Promise<void>((resolve, reject) => {
        const call = begin({
          agent,
          path: `/${String(number)}`,
          method: upload === undefined ? 'GET' : 'POST',
          headers: { host: 'one.test' },
        });
        call.once('error', reject);
        call.once('response', (response: IncomingMessage) => {
          const parts: Buffer[] = [];
          response.on('data', (part: Buffer) => parts.push(part));
          response.once('error', reject);
          response.once('end', () => {
            check(number, response.statusCode ?? 0, Buffer.concat(parts));
            resolve();
          });
        });
        call.end(upload);
      });
    }
    agent.destroy();
  };
  const overHttp2 = async (first: number): Promise<void> => {
    const session: ClientHttp2Session = await connectHttp2(rig, 'two.test');
    // One that leaves in the middle, so that its memory goes to the others.
    const gone = session.request({ ':path': `/${String(first)}`, ':authority': 'two.test' });
    gone.on('error', () => undefined);
    gone.once('data', () => gone.close());
    const numbers = Array.from({ length: EACH }, (_, at) => first + at);
    await Promise.all(
      numbers.map(async (number) => {
        const { upload } = planOf(number);
        const head = {
          ':method': upload === undefined ? 'GET' : 'POST',
          ':path': `/${String(number)}`,
          ':authority': 'two.test',
        };
        const { status, body } = await ask(session, head, upload);
        check(number, status, body);
      }),
    );
    session.destroy();
  };

  it('stay each whole and to themselves, in memory that all of them share', async () => {
    const programs = Array.from({ length: PROGRAMS }, (_, at) =>
      at % 2 === 0 ? overHttp1(1 + at * EACH) : overHttp2(1 + at * EACH),
    );
    await Promise.all(programs);
    expect(wrong).toEqual([]);
  }, 60_000);
});
