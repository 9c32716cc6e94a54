// Node's own WebSocket, as browsers have it: it can set no header, so the token is a subprotocol.
const [url] = process.argv.slice(2);
const socket = new WebSocket(url, ['echo', process.env.MATRIX_SOCKET_TOKEN]);
let heard = 0;
socket.addEventListener('open', () => {
  console.log('open', socket.protocol);
  socket.send('a text message');
  socket.send(Buffer.from('a binary message'));
});
socket.binaryType = 'arraybuffer';
socket.addEventListener('message', ({ data }) => {
  console.log(typeof data, typeof data === 'string' ? data : Buffer.from(data).toString());
  heard += 1;
  if (heard === 3) socket.close();
});
socket.addEventListener('error', (event) => console.log('failed', event.message));
