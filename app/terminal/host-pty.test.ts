import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { hostPty, type PtyModule } from './host-pty.ts';

const options = {
  arguments: ['-c', 'exit 4'],
  env: { PATH: '/bin' },
  workingFolder: '/',
  size: { columns: 80, rows: 24 },
};

describe('a terminal on the host', () => {
  it('fails with a code and a way out where node-pty’s native part is missing', async () => {
    const result = await hostPty('/bin/sh', {
      ...options,
      load: async () => {
        throw new Error('Cannot find module pty.node\nRequire stack: …');
      },
    });
    expect(result).toMatchObject({ ok: false, error: { code: 'not-yet' } });
    if (result.ok) return;
    expect(result.error.message).toBe(
      'A host terminal for /bin/sh could not be opened: Cannot find module pty.node',
    );
    expect(result.error.hint).toContain('npm rebuild node-pty');
  });

  it('asks for raw bytes and tells a death by signal like a shell does', async () => {
    const events = new EventEmitter();
    let asked: unknown;
    const spawn = ((file: string, args: string[], how: unknown) => {
      asked = { file, args, how };
      return {
        onData: (listener: (data: Buffer) => void) => events.on('data', listener),
        onExit: (listener: (end: { exitCode: number; signal?: number }) => void) =>
          events.on('exit', listener),
      };
    }) as unknown as PtyModule['spawn'];
    const result = await hostPty('/bin/sh', { ...options, load: async () => ({ spawn }) });
    if (!result.ok) throw new Error(result.error.message);
    expect(asked).toMatchObject({ args: ['-c', 'exit 4'], how: { encoding: null, cols: 80 } });
    const seen: Uint8Array[] = [];
    result.value.onData((bytes) => seen.push(bytes));
    events.emit('data', Buffer.from([0xc3]));
    events.emit('exit', { exitCode: 0, signal: 9 });
    expect(await result.value.exit).toBe(137);
    expect(Buffer.concat(seen)).toEqual(Buffer.from([0xc3]));
  });
});
