import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { http1Call } from '../../app/broker/process/call-http1.ts';
import type { CallHead } from '../../app/broker/process/http-call.ts';
import { createUpstreamPool } from '../../app/broker/process/upstream-pool.ts';
import { ok, systemClock, unwrap } from '../../app/kit/index.ts';
import { parseHost } from '../../app/policy/index.ts';
import { cut } from '../mutate.ts';
import { createRandom, type Random } from '../random.ts';
import { readStrictly } from '../reference/strict-requests.ts';
import { must, type OpenTarget, type Target } from '../target.ts';

/**
 * The client of HTTP/1.1 as a whole: requests side by side over kept connections, to a server that
 * does as it likes. Each call ends, with its own answer or none. What comes when on a socket is not
 * in the input, so a case may take more than one run to fail again.
 */

const TO = { host: unwrap(parseHost('a.test')), port: 80, tls: false };
/** How long one case may take until every call is over, in milliseconds. */
const WAIT_MS = 15_000;
const MAX_CALLS = 12;

/** How the server answers one request, told in the request's own path. */
type Plan = {
  readonly framing: 'length' | 'chunked' | 'close';
  readonly bytes: number;
  readonly interim: number;
  /** `behind`: bytes that nobody asked for come with the last of the answer. */
  readonly after: 'keep' | 'close' | 'end' | 'behind' | 'reset' | 'cut' | 'unheard';
  /** The answer comes before the request's body. */
  readonly early: boolean;
  readonly seed: number;
};

const bodyOf = (id: number, bytes: number): string =>
  `${String(id)};`.repeat(bytes).slice(0, bytes);

const pathOf = (id: number, plan: Plan): string =>
  `/${String(id)}/${Buffer.from(JSON.stringify(plan)).toString('base64url')}`;
const planOf = (path: string): { readonly id: number; readonly plan: Plan } => {
  const [, id = '', text = ''] = path.split('/');
  return {
    id: Number(id),
    plan: JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as Plan,
  };
};

const answerTo = (id: number, { framing, bytes, interim, after }: Plan): string => {
  const body = bodyOf(id, bytes);
  const fields = after === 'close' ? 'Connection: close\r\n' : '';
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'.repeat(interim);
  if (framing === 'length')
    return `${hints}HTTP/1.1 200 OK\r\n${fields}Content-Length: ${String(bytes)}\r\n\r\n${body}`;
  if (framing === 'close') return `${hints}HTTP/1.1 200 OK\r\n${fields}\r\n${body}`;
  const chunks = (body.match(/.{1,1000}/g) ?? []).map(
    (part) => `${part.length.toString(16)}\r\n${part}\r\n`,
  );
  return `${hints}HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\nX-Id: ${String(id)}\r\n\r\n`;
};

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Answers one request as its plan says; false where the connection is over with it. */
const carryOut = async (socket: Socket, path: string): Promise<boolean> => {
  const { id, plan } = planOf(path);
  const random = createRandom(String(plan.seed));
  const { after, framing } = plan;
  if (after === 'unheard') {
    socket.destroy();
    return false;
  }
  const whole = Buffer.from(answerTo(id, plan), 'latin1');
  const broken = after === 'reset' || after === 'cut';
  const bytes = broken ? whole.subarray(0, random.below(whole.length)) : whole;
  const first = [...cut(bytes, random)].slice(0, 50);
  const cutOff = first.reduce((sum, piece) => sum + piece.length, 0);
  const pieces = [...first, bytes.subarray(cutOff)].filter(({ length }) => length > 0);
  const last = pieces.at(-1);
  for (const piece of pieces) {
    if (socket.destroyed) return false;
    // What is too much comes in one piece with the end of the answer, or it would be the next one's.
    const behind = after === 'behind' && piece === last;
    socket.write(behind ? Buffer.concat([piece, Buffer.from('evil words')]) : piece);
    if (random.oneIn(3)) await soon();
  }
  if (after === 'reset') socket.resetAndDestroy();
  else if (after === 'cut' || after === 'end' || after === 'close' || framing === 'close')
    socket.end();
  return !broken && after === 'keep' && framing !== 'close';
};

const serve = (socket: Socket, faults: string[]): void => {
  let received = Buffer.alloc(0);
  let begun = 0;
  let over = false;
  let turn = Promise.resolve();
  socket.on('error', () => undefined);
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part]);
    const { requests, odd } = readStrictly(received);
    if (odd !== undefined) faults.push(`the server got ${odd}`);
    if (begun + 1 < requests.length && !over) faults.push('a request came before its turn');
    for (const one of requests.slice(begun)) {
      const { plan } = planOf(one.target);
      if (!one.whole && !plan.early) break;
      begun += 1;
      turn = turn.then(async () => {
        if (!over) over = !(await carryOut(socket, one.target));
      });
    }
  });
};

const planBy = (random: Random): Plan => {
  const framing = random.pick(['length', 'length', 'chunked', 'close'] as const);
  const after = random.pick([
    'keep',
    'keep',
    'keep',
    'keep',
    'close',
    'end',
    'behind',
    'reset',
    'cut',
    'unheard',
  ] as const);
  return {
    framing,
    // Bytes behind the end of the connection would be its body.
    after: framing === 'close' && after === 'behind' ? 'end' : after,
    bytes: after === 'behind' ? random.below(2000) : random.pick([0, 1, 10, 3000, 200_000]),
    interim: random.pick([0, 0, 0, 1, 3]),
    early: random.oneIn(4),
    seed: random.word(),
  };
};

const headOf = (id: number, plan: Plan, upload: number, random: Random): CallHead => ({
  method: upload > 0 ? 'POST' : random.pick(['GET', 'DELETE']),
  target: pathOf(id, plan),
  headers: [['Host', 'a.test']],
  framing:
    upload === 0
      ? { type: 'none' }
      : random.oneIn(2)
        ? { type: 'chunked' }
        : { type: 'length', bytes: upload },
  authority: 'a.test',
  sensitive: () => [],
  protocol: undefined,
});

const open = async (): Promise<OpenTarget> => {
  const faults: string[] = [];
  const peers = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    peers.add(socket);
    socket.once('close', () => peers.delete(socket));
    serve(socket, faults);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;

  const check = async (bytes: Buffer, random: Random): Promise<void> => {
    faults.length = 0;
    const sockets: Socket[] = [];
    const pool = createUpstreamPool(systemClock, async () => {
      const socket = connect({ port, host: '127.0.0.1', noDelay: true });
      socket.on('error', () => undefined);
      sockets.push(socket);
      await new Promise((resolve) => socket.once('connect', resolve));
      return ok({ socket, address: '127.0.0.1' });
    });
    const start = http1Call(pool, TO);
    const pending = new Set<string>();

    const one = (id: number): Promise<void> =>
      new Promise((resolve, reject) => {
        const plan = planBy(random);
        const upload = random.pick([0, 0, 0, 1, 5000, 300_000]);
        const late = random.oneIn(4);
        const stops = random.oneIn(3);
        let body = '';
        let over = false;
        const doing = `${String(id)} ${JSON.stringify({ plan, upload, late, stops })}`;
        pending.add(doing);
        const end = (wrong?: string): void => {
          pending.delete(doing);
          if (over && wrong === undefined) return;
          over = true;
          if (wrong === undefined) resolve();
          else reject(new Error(`${wrong}: ${JSON.stringify({ id, plan, upload })}`));
        };
        const call = start(headOf(id, plan, upload, random), {
          onAddress: () => undefined,
          onContinue: () => undefined,
          onInformation: () => undefined,
          onUpgrade: () => end('a change of protocols'),
          onReady: (sink) => {
            const parts = [...cut(Buffer.alloc(upload, 'u'), random)].slice(0, 30);
            const sent = parts.reduce((sum, part) => sum + part.length, 0);
            const write = async (): Promise<void> => {
              for (const part of [...parts, Buffer.alloc(upload - sent, 'u')]) {
                sink.write(part);
                if (random.oneIn(4)) await soon();
              }
              sink.finish([]);
            };
            void write();
          },
          onAnswer: ({ status, body: source, trailers }) => {
            if (over) end('an answer after the end');
            if (status !== 200) end(`status ${String(status)}`);
            const reader = {
              data: (part: Buffer) => {
                body += part.toString('latin1');
                if (!stops || !random.oneIn(3)) return;
                source.pause();
                setImmediate(() => source.resume());
              },
              ended: () => {
                const expected = bodyOf(id, plan.bytes);
                if (plan.framing !== 'close' || plan.after !== 'cut') {
                  if (body !== expected) end('another body');
                } else if (!expected.startsWith(body)) end('another body');
                if (plan.framing === 'chunked' && trailers()[0]?.[1] !== String(id))
                  end('other trailers');
                end();
                // A reader that comes late to its own end must not disturb who has the connection now.
                source.pause();
                setImmediate(() => source.resume());
              },
              broke: () => {
                const expected = bodyOf(id, plan.bytes);
                end(expected.startsWith(body) ? undefined : 'another body');
              },
            };
            if (late) setImmediate(() => source.read(reader));
            else source.read(reader);
          },
          onFailure: () => end(),
        });
        if (random.oneIn(6)) {
          const cancel = (): void => {
            call.cancel();
            end();
          };
          if (random.oneIn(2)) setImmediate(cancel);
          else setTimeout(cancel, random.below(5));
        }
        // Calls that are over give up once more: that must reach nobody.
        if (random.oneIn(3)) {
          setTimeout(() => {
            if (over) call.cancel();
          }, 3);
        }
      });

    let timer: NodeJS.Timeout | undefined;
    const hung = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new Error(`a call never ends: ${[...pending].join()}`)),
        WAIT_MS,
      );
    });
    const lanes = 1 + random.below(4);
    let next = 0;
    const calls = 1 + (bytes.length % MAX_CALLS);
    const lane = async (): Promise<void> => {
      while (next < calls) {
        next += 1;
        await one(next);
      }
    };
    try {
      await Promise.race([Promise.all(Array.from({ length: lanes }, lane)), hung]);
    } finally {
      clearTimeout(timer);
      pool.close();
      for (const peer of peers) peer.destroy();
    }
    must(faults.length === 0, faults[0] ?? '');
    const closed = (): boolean =>
      sockets.every(({ destroyed, writable }) => destroyed || !writable);
    // What was being dialled is closed once it is there.
    for (let turns = 0; turns < 200 && !closed(); turns += 1) await soon();
    must(closed(), 'a connection is left open');
  };
  return {
    check,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
};

export const EXCHANGE_TARGETS: readonly Target[] = [
  {
    name: 'http-exchanges',
    maxBytes: 64,
    caseMs: WAIT_MS,
    seeds: [Buffer.from('seed')],
    // The input is only where the choices come from.
    generate: (random) => random.bytes(12 + random.below(20)),
    open,
  },
];
