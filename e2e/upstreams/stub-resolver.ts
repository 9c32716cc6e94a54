import { createSocket } from 'node:dgram';
import type { Closable } from '../../app/kit/index.ts';

/** Answers of the stub: a name's addresses, in turn when there are several lists. */
export type Zone = Readonly<Record<string, readonly (readonly string[])[]>>;

/** A resolver on loopback that records every question. What it does not know, it says does not exist. */
export type StubResolver = Closable & {
  readonly port: number;
  readonly questions: readonly string[];
};

const TYPE_A = 1;
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const NAME_ERROR = 3;

const readName = (message: Buffer): { readonly name: string; readonly end: number } => {
  const labels: string[] = [];
  let at = HEADER_BYTES;
  for (;;) {
    const length = message.readUInt8(at);
    at += 1;
    if (length === 0) return { name: labels.join('.').toLowerCase(), end: at };
    labels.push(message.toString('latin1', at, at + length));
    at += length;
  }
};

const answerTo = (query: Buffer, end: number, addresses: readonly string[] | undefined): Buffer => {
  const header = Buffer.alloc(HEADER_BYTES);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (addresses === undefined ? NAME_ERROR : 0), 2);
  header.writeUInt16BE(1, 4);
  const records = (addresses ?? []).map((address) => {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(TYPE_A, 2);
    record.writeUInt16BE(CLASS_IN, 4);
    record.writeUInt32BE(0, 6);
    record.writeUInt16BE(4, 10);
    Buffer.from(address.split('.').map(Number)).copy(record, 12);
    return record;
  });
  header.writeUInt16BE(records.length, 6);
  return Buffer.concat([header, query.subarray(HEADER_BYTES, end), ...records]);
};

export const startStubResolver = async (zone: Zone): Promise<StubResolver> => {
  const questions: string[] = [];
  const asked = new Map<string, number>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, end } = readName(query);
    const type = query.readUInt16BE(end);
    questions.push(name);
    const turns = zone[name];
    const turn = asked.get(name) ?? 0;
    if (type === TYPE_A) asked.set(name, turn + 1);
    const addresses =
      turns === undefined ? undefined : type === TYPE_A ? turns[turn % turns.length] : [];
    socket.send(answerTo(query, end + 4, addresses), from.port, from.address);
  });
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  return {
    port: socket.address().port,
    questions,
    close: () =>
      new Promise<void>((resolve) => {
        socket.close(() => {
          resolve();
        });
      }),
  };
};
