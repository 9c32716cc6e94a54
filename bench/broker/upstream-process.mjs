// The stand-in upstream of the broker benchmark, in a process of its own so that no contender shares its thread.
// Plain JavaScript like the client. Started with an IPC channel: takes {key, cert, credential}, tells {port}.
// It refuses every request that does not hold the real credential.
import { createServer } from 'node:https';
import { textChunk } from './text-chunk.mjs';

const MIB = 1 << 20;
const CHUNK = textChunk();
const SMALL = JSON.stringify({ ok: true, text: 'x'.repeat(200) });

const sendLarge = (response, mebibytes) => {
  let left = (mebibytes * MIB) / CHUNK.length;
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': mebibytes * MIB });
  const write = () => {
    while (left > 0) {
      left -= 1;
      if (!response.write(CHUNK)) {
        response.once('drain', write);
        return;
      }
    }
    response.end();
  };
  write();
};

const sendEvents = (response, count, everyMs) => {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  let sent = 0;
  const timer = setInterval(() => {
    sent += 1;
    const at = String(process.hrtime.bigint());
    response.write(
      `data: ${JSON.stringify({ at, type: 'delta', text: `word ${sent} of the answer` })}\n\n`,
    );
    if (sent === count) {
      clearInterval(timer);
      response.end();
    }
  }, everyMs);
  response.once('close', () => clearInterval(timer));
};

const serve = ({ key, cert, credential }) => {
  const server = createServer({ key, cert, keepAliveTimeout: 60_000 }, (request, response) => {
    const sent = request.headers.authorization ?? '';
    if (sent !== `Bearer ${credential}`) {
      request.resume();
      response.writeHead(401).end('not the credential');
      return;
    }
    const url = new URL(request.url, 'https://bench');
    const number = (name) => Number(url.searchParams.get(name));
    if (url.pathname === '/large') sendLarge(response, number('mib'));
    else if (url.pathname === '/events') sendEvents(response, number('count'), number('every'));
    else {
      request.resume();
      request.on('end', () => {
        const body = url.pathname === '/echo' ? JSON.stringify({ echo: sent }) : SMALL;
        response.writeHead(200, {
          'content-type': 'application/json',
          'content-length': body.length,
        });
        response.end(body);
      });
    }
  });
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
};

process.once('message', serve);
process.once('disconnect', () => process.exit(0));
