import { createServer, type AddressInfo } from 'node:net';
import { connectRelay } from '../../app/broker/testing/relay.ts';

/**
 * A gateway's relay on the host: what connects to its port is handed to the broker as a connection to one
 * destination. Arguments: the link folder, the host name, the port. Prints its own port when it listens.
 */
const [folder = '', host = '', port = ''] = process.argv.slice(2);
const relay = await connectRelay(folder);
const destination = `${await relay.addressOf(host)}:${port}`;
const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const stream = relay.open(destination);
  socket.on('error', () => stream.destroy());
  stream.on('close', () => socket.destroy());
  socket.on('close', () => stream.destroy());
  socket.pipe(stream).pipe(socket);
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`${String((server.address() as AddressInfo).port)}\n`);
});
