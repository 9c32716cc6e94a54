import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { PROXY_ADDRESS } from '../process/wires/proxy-place.ts';
import type { Rig } from '../testing/setup.ts';
import type { ConnectionPlan } from './plan.ts';

/** How long anything may take before the trial counts as stalled, in milliseconds. */
export const STALL_MS = 20_000;

export const withinTime = async <T>(work: Promise<T>, what: string): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`stalled: ${what}`)), STALL_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};

/** Reads so many bytes, and leaves the rest. */
const readExactly = (stream: Duplex, bytes: number): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const onReadable = (): void => {
      const found = stream.read(bytes) as Buffer | null;
      if (found === null) return;
      stream.removeListener('readable', onReadable);
      stream.removeListener('close', onClose);
      resolve(found);
    };
    const onClose = (): void => reject(new Error('the carrier closed'));
    stream.on('readable', onReadable);
    stream.once('close', onClose);
    onReadable();
  });

const readHead = async (stream: Duplex): Promise<string> => {
  let text = '';
  while (!text.endsWith('\r\n\r\n')) text += (await readExactly(stream, 1)).toString('latin1');
  return text;
};

/** A stream to a destination as a program would come by it. */
export const openCarrier = async (
  rig: Rig,
  carrier: ConnectionPlan['carrier'],
  host: string,
  port: number,
): Promise<Duplex> => {
  if (carrier === 'direct')
    return rig.relay.open(`${await rig.relay.addressOf(host)}:${String(port)}`);
  const stream = rig.relay.open(`${PROXY_ADDRESS}:${carrier === 'CONNECT' ? '3128' : '1080'}`);
  if (carrier === 'CONNECT') {
    const to = `${host}:${String(port)}`;
    stream.write(`CONNECT ${to} HTTP/1.1\r\nHost: ${to}\r\n\r\n`);
    const head = await readHead(stream);
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(`no tunnel: ${head}`);
    return stream;
  }
  stream.write(Buffer.from([5, 1, 0]));
  await readExactly(stream, 2);
  stream.write(
    Buffer.concat([
      Buffer.from([5, 1, 0, 3, host.length]),
      Buffer.from(host),
      Buffer.from([port >> 8, port & 255]),
    ]),
  );
  const reply = await readExactly(stream, 10);
  if (reply[1] !== 0) throw new Error(`no tunnel: ${reply.toString('hex')}`);
  return stream;
};

/** TLS as a program inside makes it; whose certificate comes is not what is tried here. */
export const openTls = (
  stream: Duplex,
  options: {
    readonly servername: string;
    readonly ca: string | undefined;
    readonly alpn: readonly string[];
  },
): Promise<TLSSocket> =>
  new Promise((resolve, reject) => {
    const { servername, ca, alpn } = options;
    const tls = connectTls({
      socket: stream,
      servername,
      ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
      ALPNProtocols: [...alpn],
    });
    tls.once('secureConnect', () => resolve(tls));
    tls.once('error', reject);
    tls.once('close', () => reject(new Error('closed in the handshake')));
  });
