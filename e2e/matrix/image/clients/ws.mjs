// The ws package: a handshake with a bearer token, one text and one binary message, their echoes printed.
import { WebSocket } from 'ws';

const [url] = process.argv.slice(2);
const socket = new WebSocket(url, {
  headers: { authorization: `Bearer ${process.env.MATRIX_TOKEN}` },
});
let heard = 0;
socket.on('upgrade', (answer) => console.log(answer.statusCode, JSON.stringify(answer.headers)));
socket.on('open', () => {
  socket.send('a text message');
  socket.send(Buffer.from('a binary message'));
});
socket.on('message', (data, binary) => {
  console.log(binary ? 'binary' : 'text', Buffer.from(data).toString());
  heard += 1;
  // The greeting, and one echo each.
  if (heard === 3) socket.close();
});
