import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2';
import { createConnection } from 'node:net';
import { join } from 'node:path';

/** A gateway's relay in small: what the real one says over the link, from inside a test. */
export type TestRelay = {
  readonly session: ClientHttp2Session;
  readonly open: (destination: string, source?: string) => ClientHttp2Stream;
  readonly post: (
    path: string,
    type: string,
    body: Buffer,
  ) => Promise<{ status: number; body: Buffer }>;
  /** The zone's address for a name, asked for as a program would. */
  readonly addressOf: (name: string) => Promise<string>;
  readonly close: () => void;
};

/** A DNS query in wire format. */
export const dnsQuery = (name: string, type = 1, id = 0x1234): Buffer => {
  const labels = name.split('.').filter((label) => label !== '');
  const parts = labels.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label, 'latin1')]),
  );
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  return Buffer.concat([head, ...parts, Buffer.from([0, type >> 8, type & 255, 0, 1])]);
};

export const connectRelay = async (linkFolder: string): Promise<TestRelay> => {
  const session = connect('http://glovebox', {
    createConnection: () => createConnection(join(linkFolder, 'link.sock')),
    maxSessionMemory: 512,
    settings: { initialWindowSize: 1024 * 1024, enablePush: false },
  });
  session.on('error', () => undefined);
  await new Promise<void>((resolve, reject) => {
    session.once('remoteSettings', () => resolve());
    session.once('error', reject);
  });
  session.setLocalWindowSize(64 * 1024 * 1024);
  const post: TestRelay['post'] = (path, type, body) =>
    new Promise((resolve, reject) => {
      const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': type });
      let status = 0;
      const parts: Buffer[] = [];
      stream.on('response', (headers) => {
        status = headers[':status'] ?? 0;
      });
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.on('error', reject);
      stream.on('close', () => resolve({ status, body: Buffer.concat(parts) }));
      stream.end(body);
    });
  await post('/hello', 'application/json', Buffer.from('{"version":"1"}'));
  let port = 40_000;
  return {
    session,
    open: (destination, source = `10.0.0.2:${String((port += 1))}`) => {
      const stream = session.request(
        { ':method': 'CONNECT', ':authority': destination, 'glovebox-source': source },
        { endStream: false },
      );
      stream.on('error', () => undefined);
      return stream;
    },
    post,
    addressOf: async (name) => {
      const { body } = await post('/dns-query', 'application/dns-message', dnsQuery(name));
      if (body.length < 20 || body.readUInt16BE(6) !== 1) throw new Error(`no address for ${name}`);
      return Array.from(body.subarray(body.length - 4)).join('.');
    },
    close: () => session.destroy(),
  };
};
