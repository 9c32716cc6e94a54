import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { MAX_SECRET_CHARS } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { readHiddenLine, readSecret } from './secret-input.ts';

describe('a secret from a pipe', () => {
  it('is everything but one final line break', async () => {
    const secret = unwrap(
      await readSecret(Readable.from([Buffer.from('sk-'), Buffer.from('é\n\n')])),
    );
    expect(secret.expose()).toBe('sk-é\n');
    expect(unwrap(await readSecret(Readable.from(['x\r\n']))).expose()).toBe('x');
  });

  it('is refused when empty or larger than the cap, without showing it', async () => {
    expect(await readSecret(Readable.from(['\n']))).toMatchObject({
      ok: false,
      error: { code: 'credential.bad-value' },
    });
    const edge = 'k'.repeat(MAX_SECRET_CHARS);
    expect(unwrap(await readSecret(Readable.from([edge]))).expose()).toBe(edge);
    const past = await readSecret(Readable.from([`${edge}k`]));
    expect(past.ok).toBe(false);
    expect(JSON.stringify(past)).not.toContain('kkk');
  });

  it('stops reading an endless pipe', async () => {
    let read = 0;
    function* endless(): Generator<Buffer> {
      for (;;) {
        read += 1;
        yield Buffer.alloc(65_536, 'x');
      }
    }
    expect((await readSecret(Readable.from(endless()))).ok).toBe(false);
    expect(read).toBeLessThan(100);
  });
});

const type = (
  ...keys: readonly string[]
): { line: Promise<string | undefined>; modes: boolean[] } => {
  const keyboard = new EventEmitter();
  const modes: boolean[] = [];
  const line = readHiddenLine(
    Object.assign(keyboard, {
      setRawMode: (mode: boolean) => modes.push(mode),
      pause: () => keyboard,
      resume: () => keyboard,
    }) as never,
  );
  for (const key of keys) keyboard.emit('data', Buffer.from(key));
  return { line, modes };
};

describe('a secret from the keyboard', () => {
  it('takes a line with echo off and gives the terminal back', async () => {
    const { line, modes } = type('se', 'cx', '\u007f', 'ret\r');
    expect(await line).toBe('secret');
    expect(modes).toEqual([true, false]);
  });

  it('is nothing after Ctrl+C or Ctrl+D, and starts over after Ctrl+U', async () => {
    expect(await type('abc\u0003').line).toBeUndefined();
    expect(await type('\u0004').line).toBeUndefined();
    expect(await type('wrong\u0015right\n').line).toBe('right');
  });
});
