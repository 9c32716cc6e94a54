import { createSocket } from 'node:dgram';
import { readDnsQuery } from '../process/dns-message.ts';

/** A resolver that answers A questions from a table, and says which names it was asked. */
export type TestResolver = {
  readonly asked: readonly string[];
  readonly port: number;
  readonly close: () => void;
};

export const startResolver = async (
  answers: Readonly<Record<string, readonly string[]>>,
): Promise<TestResolver> => {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const reading = readDnsQuery(query);
    if (reading.type !== 'query') return;
    const { name, question, id, type } = reading.query;
    asked.push(name);
    const found = type === 'A' ? (answers[name] ?? []) : [];
    const code = name in answers ? 0 : 3;
    const head = Buffer.from([id >> 8, id & 255, 0x81, code, 0, 1, 0, found.length, 0, 0, 0, 0]);
    const records = found.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    );
    socket.send(Buffer.concat([head, question, ...records]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { asked, port: socket.address().port, close: () => socket.close() };
};
