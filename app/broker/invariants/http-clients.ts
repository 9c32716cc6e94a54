import { connect as connectHttp2 } from 'node:http2';
import type { Duplex } from 'node:stream';
import type { Pairs, Rendered } from './render.ts';

/** A request as it is to be said. */
export type Spoken = Pick<
  Rendered,
  | 'method'
  | 'target'
  | 'authority'
  | 'headers'
  | 'body'
  | 'framing'
  | 'expectsContinue'
  | 'trailers'
> & { readonly plan: Pick<Rendered['plan'], 'cuts'> };

/** What came back of one request. */
export type Answered = {
  readonly status: number;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly trailers: Pairs;
  /** The answer was cut off. */
  readonly broken: boolean;
};

/** All that came over a connection, and the answers in it. */
export type Exchanged = {
  readonly answers: readonly (Answered | undefined)[];
  /** Every byte that the sandbox's side was given, as it came. */
  readonly raw: Buffer;
};

const BROKEN: Answered = {
  status: 0,
  headers: [],
  body: Buffer.alloc(0),
  trailers: [],
  broken: true,
};

export const valueOf = (headers: Pairs, wanted: string): string | undefined =>
  headers.find(([name]) => name.toLowerCase() === wanted)?.[1];

const linesOf = (text: string): Pairs =>
  text
    .split('\r\n')
    .filter((line) => line !== '')
    .map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });

/** Reads bytes as they come, with nothing of Node's parser: what is asserted must not depend on it. */
export const createInbox = (stream: Duplex) => {
  let all: Buffer = Buffer.alloc(0);
  let at = 0;
  let ended = false;
  let wake: (() => void) | undefined;
  const onEnd = (): void => {
    ended = true;
    wake?.();
  };
  stream.on('data', (part: Buffer) => {
    all = Buffer.concat([all, part]);
    wake?.();
  });
  for (const event of ['end', 'close', 'error']) stream.on(event, onEnd);
  const more = (): Promise<void> =>
    new Promise((resolve) => {
      if (ended) resolve();
      else wake = resolve;
    });
  return {
    all: () => all,
    ended: () => ended,
    until: async (mark: string): Promise<string | undefined> => {
      for (;;) {
        const found = all.indexOf(mark, at, 'latin1');
        if (found >= 0) {
          const text = all.toString('latin1', at, found);
          at = found + mark.length;
          return text;
        }
        if (ended) return undefined;
        await more();
      }
    },
    take: async (bytes: number): Promise<Buffer | undefined> => {
      while (all.length - at < bytes) {
        if (ended) return undefined;
        await more();
      }
      at += bytes;
      return all.subarray(at - bytes, at);
    },
    rest: async (): Promise<Buffer> => {
      // oxlint-disable-next-line no-unmodified-loop-condition -- the stream's listeners modify it
      while (!ended) await more();
      const left = all.subarray(at);
      at = all.length;
      return left;
    },
  };
};
type Inbox = ReturnType<typeof createInbox>;

const readChunked = async (
  inbox: Inbox,
): Promise<Pick<Answered, 'body' | 'trailers' | 'broken'>> => {
  const parts: Buffer[] = [];
  for (;;) {
    const size = Number.parseInt((await inbox.until('\r\n')) ?? 'x', 16);
    if (Number.isNaN(size)) return { body: Buffer.concat(parts), trailers: [], broken: true };
    if (size === 0) break;
    const part = await inbox.take(size);
    if (part === undefined || (await inbox.until('\r\n')) === undefined)
      return { body: Buffer.concat(parts), trailers: [], broken: true };
    parts.push(part);
  }
  const trailers: (readonly [string, string])[] = [];
  for (;;) {
    const line = await inbox.until('\r\n');
    if (line === undefined) return { body: Buffer.concat(parts), trailers, broken: true };
    if (line === '') return { body: Buffer.concat(parts), trailers, broken: false };
    trailers.push(...linesOf(line));
  }
};

const readAnswer = async (
  inbox: Inbox,
  method: string,
  onContinue: () => void,
): Promise<Answered> => {
  for (;;) {
    const text = await inbox.until('\r\n\r\n');
    if (text === undefined) return BROKEN;
    const [first = '', ...lines] = text.split('\r\n');
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(first)?.[1] ?? 0);
    if (status >= 100 && status < 200) {
      if (status === 100) onContinue();
      continue;
    }
    const headers = linesOf(lines.join('\r\n'));
    const none = { status, headers, body: Buffer.alloc(0), trailers: [], broken: false };
    if (method === 'HEAD' || status === 204 || status === 304) return none;
    if (valueOf(headers, 'transfer-encoding') === 'chunked')
      return { status, headers, ...(await readChunked(inbox)) };
    const length = valueOf(headers, 'content-length');
    if (length === undefined) return { ...none, body: await inbox.rest() };
    const body = await inbox.take(Number(length));
    return body === undefined ? { ...none, broken: true } : { ...none, body };
  }
};

const chunked = (body: Buffer, trailers: Pairs): Buffer => {
  const half = body.length >> 1;
  const parts = [body.subarray(0, half), body.subarray(half)].filter((part) => part.length > 0);
  return Buffer.concat([
    ...parts.flatMap((part) => [
      Buffer.from(`${part.length.toString(16)}\r\n`),
      part,
      Buffer.from('\r\n'),
    ]),
    Buffer.from(
      `0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
      'latin1',
    ),
  ]);
};

const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Writes in the pieces that the plan cuts it into. */
export const writeCut = async (
  stream: Duplex,
  bytes: Buffer,
  cuts: readonly number[],
): Promise<void> => {
  const ends = cuts.map((cut) => Math.floor((cut * bytes.length) / 1000)).toSorted((a, b) => a - b);
  let at = 0;
  for (const end of [...ends, bytes.length]) {
    if (end <= at || stream.destroyed) continue;
    stream.write(bytes.subarray(at, end));
    at = end;
    await pause();
  }
};

/** Requests one after the other on one HTTP/1.1 connection, written by hand. */
export const speakHttp1 = async (
  stream: Duplex,
  requests: readonly Spoken[],
  absolute: boolean,
): Promise<Exchanged> => {
  const inbox = createInbox(stream);
  const answers: (Answered | undefined)[] = [];
  for (const request of requests) {
    const last = answers.at(-1);
    const over =
      last !== undefined &&
      (last.broken || valueOf(last.headers, 'connection')?.toLowerCase() === 'close');
    if (over || inbox.ended()) break;
    const { method, authority, target, headers, body, framing, trailers } = request;
    const head = [
      `${method} ${absolute ? `http://${authority}` : ''}${target} HTTP/1.1`,
      `Host: ${authority}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      ...(framing === 'length' ? [`Content-Length: ${String(body.length)}`] : []),
      ...(framing === 'chunked' ? ['Transfer-Encoding: chunked'] : []),
      ...(trailers.length > 0 ? ['Trailer: x-sum'] : []),
      ...(request.expectsContinue ? ['Expect: 100-continue'] : []),
      '\r\n',
    ].join('\r\n');
    const payload =
      framing === 'chunked'
        ? chunked(body, trailers)
        : framing === 'length'
          ? body
          : Buffer.alloc(0);
    let goOn: () => void = () => undefined;
    const leave = new Promise<void>((resolve) => {
      goOn = resolve;
    });
    const answer = readAnswer(inbox, method, goOn);
    const headBytes = Buffer.from(head, 'latin1');
    if (request.expectsContinue) {
      await writeCut(stream, headBytes, request.plan.cuts);
      const first = await Promise.race([leave.then(() => 'go'), answer.then(() => 'answered')]);
      if (first === 'go') await writeCut(stream, payload, request.plan.cuts);
    } else {
      await writeCut(stream, Buffer.concat([headBytes, payload]), request.plan.cuts);
    }
    answers.push(await answer);
  }
  stream.destroy();
  return { answers, raw: inbox.all() };
};

/** All requests at once, each on a stream of one HTTP/2 connection. */
export const speakHttp2 = async (
  stream: Duplex,
  requests: readonly Spoken[],
): Promise<Exchanged> => {
  const session = connectHttp2('https://unused', { createConnection: () => stream });
  session.on('error', () => undefined);
  const raw: Buffer[] = [];
  const one = (request: Spoken): Promise<Answered | undefined> =>
    new Promise((resolve) => {
      const { method, authority, target, headers, body, framing, trailers } = request;
      const fields: Record<string, string | string[]> = {
        ':method': method,
        ':authority': authority,
        ':path': target,
        ':scheme': 'https',
      };
      for (const [name, value] of headers) {
        const there = fields[name];
        fields[name] = there === undefined ? value : [...[there].flat(), value];
      }
      if (framing === 'length') fields['content-length'] = String(body.length);
      if (trailers.length > 0) fields['trailer'] = 'x-sum';
      let call;
      try {
        call = session.request(fields, {
          endStream: framing === 'none',
          waitForTrailers: trailers.length > 0,
        });
      } catch {
        // Node's client would not say it: it was never sent.
        resolve(undefined);
        return;
      }
      let status = 0;
      let got: Pairs = [];
      let late: Pairs = [];
      const parts: Buffer[] = [];
      const pairs = (from: readonly string[]): Pairs =>
        from.flatMap((name, at) => (at % 2 === 0 ? [[name, from[at + 1] ?? ''] as const] : []));
      call.on('response', (head, _flags, rawHeaders: string[]) => {
        status = head[':status'] ?? 0;
        got = pairs(rawHeaders).filter(([name]) => !name.startsWith(':'));
        raw.push(Buffer.from(rawHeaders.join('\n'), 'latin1'));
      });
      call.on('headers', (_head, _flags, rawHeaders: string[]) => {
        raw.push(Buffer.from(rawHeaders.join('\n'), 'latin1'));
      });
      call.on('trailers', (_head, _flags, rawTrailers: string[]) => {
        late = pairs(rawTrailers);
        raw.push(Buffer.from(rawTrailers.join('\n'), 'latin1'));
      });
      call.on('data', (part: Buffer) => parts.push(part));
      call.on('error', () => undefined);
      call.once('wantTrailers', () => call.sendTrailers(Object.fromEntries(trailers)));
      call.once('close', () => {
        const payload = Buffer.concat(parts);
        raw.push(payload);
        const broken = call.rstCode !== 0 || status === 0;
        resolve({ status, headers: got, body: payload, trailers: late, broken });
      });
      if (framing !== 'none') {
        void writeCut(call, body, request.plan.cuts).then(() => call.end());
      }
    });
  const answers = await Promise.all(requests.map(one));
  session.destroy();
  stream.destroy();
  return { answers, raw: Buffer.concat(raw) };
};
