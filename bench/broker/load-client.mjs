// The load of the broker benchmark: the same file drives every contender, on the host and inside a sandbox,
// so it is plain JavaScript without packages, in this file and text-chunk.mjs. It speaks HTTP/1.1 over TLS by hand, because Node's own client
// would be the bound at these rates.
//
// Arguments: a phase and one JSON object {host, port, via?: {host, port, connect, token?}}.
// Environment: BENCH_CREDENTIAL (what this side holds), NODE_EXTRA_CA_CERTS (whom it trusts).
// Prints one JSON object.
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, createSecureContext } from 'node:tls';
import { textChunk } from './text-chunk.mjs';

const [phase, text] = process.argv.slice(2);
const { host, port, via } = JSON.parse(text);
const credential = process.env.BENCH_CREDENTIAL;

const WARM_UP_REQUESTS = 300;
const KEPT_REQUESTS = 2000;
const NEW_CONNECTIONS = 120;
const PARALLEL = 64;
const PARALLEL_WARM_UP_MS = 500;
const PARALLEL_MS = 2000;
const WARM_UP_MIB = 16;
const BULK_MIB = 128;
const EVENTS = 200;
const EVENT_EVERY_MS = 5;
const PHASE_LIMIT_MS = 90_000;
const MIB = 1 << 20;

const context = createSecureContext();
const authority = port === 443 ? host : `${host}:${port}`;
const head = (method, path, more = '') =>
  `${method} ${path} HTTP/1.1\r\nHost: ${authority}\r\nUser-Agent: bench\r\nAccept: */*\r\n` +
  `Authorization: Bearer ${credential}\r\n${more}\r\n`;
const CHUNK = textChunk();
const SMALL = Buffer.from(head('GET', '/small'));

/** Reads answers off a connection: length, chunks (RFC 9112 7.1), or to the end. */
const createReader = ({ onBody, onAnswer }) => {
  let pending = Buffer.alloc(0);
  let state = 'head';
  let left = 0;
  let status = 0;
  const finish = () => {
    state = 'head';
    onAnswer(status);
  };
  const takeHead = (at) => {
    const lines = pending.toString('latin1', 0, at).split('\r\n');
    pending = pending.subarray(at + 4);
    status = Number(lines[0].slice(9, 12));
    const headers = lines.slice(1).map((line) => line.toLowerCase());
    const length = headers.find((line) => line.startsWith('content-length:'));
    if (status === 100) return;
    if (length !== undefined) {
      left = Number(length.slice(15));
      state = 'length';
      if (left === 0) finish();
    } else if (headers.some((line) => /^transfer-encoding:\s*chunked/.test(line))) {
      state = 'size';
    } else {
      state = 'rest';
    }
  };
  return {
    push: (chunk) => {
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      for (;;) {
        if (state === 'rest' || state === 'length' || state === 'chunk') {
          if (pending.length === 0) return;
          const part = state === 'rest' ? pending : pending.subarray(0, left);
          pending = pending.subarray(part.length);
          left -= part.length;
          onBody(part);
          if (state === 'rest' || left > 0) return;
          if (state === 'length') finish();
          else state = 'gap';
          continue;
        }
        const at = pending.indexOf(state === 'head' ? '\r\n\r\n' : '\r\n');
        if (at < 0) return;
        if (state === 'head') takeHead(at);
        else {
          const line = pending.toString('latin1', 0, at);
          pending = pending.subarray(at + 2);
          if (state === 'gap') state = 'size';
          else if (state === 'size') {
            left = Number.parseInt(line, 16);
            state = left === 0 ? 'trailer' : 'chunk';
          } else if (line === '') finish();
        }
      }
    },
    close: () => {
      if (state === 'rest') finish();
    },
  };
};

const connectTo = (to) =>
  new Promise((resolve, reject) => {
    const socket = connectTcp({ host: to.host, port: to.port, noDelay: true });
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });

const openTunnel = async () => {
  if (via === undefined) return connectTo({ host, port });
  const socket = await connectTo(via);
  if (!via.connect) return socket;
  const token =
    via.token === undefined
      ? ''
      : `Proxy-Authorization: Basic ${Buffer.from(via.token).toString('base64')}\r\n`;
  socket.write(`CONNECT ${host}:${port} HTTP/1.1\r\nHost: ${host}:${port}\r\n${token}\r\n`);
  await new Promise((resolve, reject) => {
    let seen = '';
    const onData = (chunk) => {
      seen += chunk.toString('latin1');
      if (!seen.includes('\r\n\r\n')) return;
      socket.removeListener('data', onData);
      if (/^HTTP\/1\.[01] 200/.test(seen)) resolve();
      else reject(new Error(`the proxy refused: ${seen.split('\r\n')[0]}`));
    };
    socket.on('data', onData);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('the proxy closed the connection')));
  });
  return socket;
};

/** A connection that asks one thing after another. */
const open = async () => {
  const tcp = await openTunnel();
  const socket = connectTls({ socket: tcp, servername: host, secureContext: context });
  await new Promise((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
    socket.once('close', () => reject(new Error('closed in the handshake')));
  });
  let waiting;
  const settle = (failure, status) => {
    const current = waiting;
    waiting = undefined;
    if (current === undefined) return;
    if (failure !== undefined) current.reject(failure);
    else if (status !== 200) current.reject(new Error(`the answer was ${status}`));
    else current.resolve();
  };
  const reader = createReader({
    onBody: (part) => waiting?.onBody?.(part),
    onAnswer: (status) => settle(undefined, status),
  });
  socket.on('data', reader.push);
  socket.on('error', (failure) => settle(failure));
  socket.on('close', () => {
    reader.close();
    settle(new Error('the connection was closed'));
  });
  return {
    socket,
    ask: (bytes, onBody) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject, onBody };
        socket.write(bytes);
      }),
    close: () => {
      socket.destroy();
      tcp.destroy();
    },
  };
};

const percentile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
const summary = (times) => {
  const sorted = times.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
};

const check = async () => {
  const connection = await open();
  const { issuer } = connection.socket.getPeerCertificate();
  const parts = [];
  await connection.ask(head('GET', '/echo'), (part) => parts.push(part));
  connection.close();
  return { issuer: String(issuer.CN ?? issuer.O ?? ''), body: Buffer.concat(parts).toString() };
};

const kept = async () => {
  const connection = await open();
  for (let at = 0; at < WARM_UP_REQUESTS; at += 1) await connection.ask(SMALL);
  const times = [];
  for (let at = 0; at < KEPT_REQUESTS; at += 1) {
    const began = performance.now();
    await connection.ask(SMALL);
    times.push(performance.now() - began);
  }
  connection.close();
  return summary(times);
};

const fresh = async () => {
  const times = [];
  for (let at = -10; at < NEW_CONNECTIONS; at += 1) {
    const began = performance.now();
    const connection = await open();
    await connection.ask(SMALL);
    if (at >= 0) times.push(performance.now() - began);
    connection.close();
  }
  return summary(times);
};

const parallel = async () => {
  const connections = await Promise.all(Array.from({ length: PARALLEL }, open));
  const from = performance.now() + PARALLEL_WARM_UP_MS;
  const to = from + PARALLEL_MS;
  const times = [];
  let failed = 0;
  let requests = 0;
  await Promise.all(
    connections.map(async (connection) => {
      for (;;) {
        const began = performance.now();
        if (began >= to) return;
        try {
          await connection.ask(SMALL);
        } catch {
          // Counted, and this connection is over: a contender that drops requests must not look fast.
          failed += 1;
          return;
        }
        const now = performance.now();
        requests += 1;
        if (began >= from && now <= to) times.push(now - began);
      }
    }),
  );
  for (const connection of connections) connection.close();
  return { perSecond: times.length / (PARALLEL_MS / 1000), requests, failed, ...summary(times) };
};

const down = async () => {
  const connection = await open();
  await connection.ask(head('GET', `/large?mib=${WARM_UP_MIB}`));
  let bytes = 0;
  const began = performance.now();
  await connection.ask(head('GET', `/large?mib=${BULK_MIB}`), (part) => {
    bytes += part.length;
  });
  const seconds = (performance.now() - began) / 1000;
  connection.close();
  if (bytes !== BULK_MIB * MIB) throw new Error(`${bytes} bytes came`);
  return { mibPerSecond: BULK_MIB / seconds, mebibytes: WARM_UP_MIB + BULK_MIB };
};

const send = (connection, mebibytes) => {
  const { socket } = connection;
  const done = connection.ask(
    head('POST', '/upload', `Content-Type: text/plain\r\nContent-Length: ${mebibytes * MIB}\r\n`),
  );
  let left = (mebibytes * MIB) / CHUNK.length;
  const write = () => {
    while (left > 0) {
      left -= 1;
      if (!socket.write(CHUNK)) {
        socket.once('drain', write);
        return;
      }
    }
  };
  write();
  return done;
};

const up = async () => {
  const connection = await open();
  await send(connection, WARM_UP_MIB);
  const began = performance.now();
  await send(connection, BULK_MIB);
  const seconds = (performance.now() - began) / 1000;
  connection.close();
  return { mibPerSecond: BULK_MIB / seconds, mebibytes: WARM_UP_MIB + BULK_MIB };
};

/** The upstream writes its own clock into each event; the monotonic clock is one for the whole machine. */
const events = async () => {
  const connection = await open();
  const delays = [];
  let alone = 0;
  let rest = '';
  await connection.ask(
    head('GET', `/events?count=${EVENTS}&every=${EVENT_EVERY_MS}`, 'Accept-Encoding: identity\r\n'),
    (part) => {
      const now = process.hrtime.bigint();
      const blocks = (rest + part.toString('latin1')).split('\n\n');
      rest = blocks.pop();
      if (blocks.length === 1) alone += 1;
      for (const block of blocks) {
        const { at } = JSON.parse(block.slice('data: '.length));
        delays.push(Number(now - BigInt(at)) / 1e6);
      }
    },
  );
  connection.close();
  if (delays.length !== EVENTS) throw new Error(`${delays.length} events came`);
  return { ...summary(delays), aloneShare: alone / EVENTS };
};

const phases = { check, kept, fresh, parallel, down, up, events };
const limit = setTimeout(() => {
  process.stderr.write(`${phase} took too long\n`);
  process.exit(1);
}, PHASE_LIMIT_MS);
process.stdout.write(`${JSON.stringify(await phases[phase]())}\n`);
clearTimeout(limit);
