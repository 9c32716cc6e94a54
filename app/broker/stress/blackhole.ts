import { spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import type { Upstream } from '../testing/setup.ts';
import { moment } from './stand.ts';

const LISTEN = `
  const server = require('node:net').createServer();
  server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => console.log(server.address().port));
`;

/** A port whose queue is full and whose owner is stopped: the kernel drops every further attempt to connect. */
export const openBlackhole = async (): Promise<Upstream> => {
  const child = spawn(process.execPath, ['-e', LISTEN], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.stdout.once('data', (text: Buffer) => resolve(Number(text.toString())));
  });
  child.kill('SIGSTOP');
  const fillers: Socket[] = [];
  // The queue takes a few more than it was asked to.
  for (let at = 0; at < 4; at += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    fillers.push(socket);
  }
  await moment(50);
  return {
    port,
    close: () => {
      for (const socket of fillers) socket.destroy();
      child.kill('SIGKILL');
      return Promise.resolve();
    },
  };
};
