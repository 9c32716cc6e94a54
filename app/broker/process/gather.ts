import type { Readable } from 'node:stream';
import type { BodySource } from './body-source.ts';

/** How gathering a body ended. */
export type Gathered =
  | { readonly type: 'whole'; readonly body: Buffer }
  | { readonly type: 'too-large' }
  | { readonly type: 'broke' };

/** Reads a body whole, up to a cap in bytes; past it, what is left is the caller's to throw away. */
export const gather = (source: BodySource, maxBytes: number): Promise<Gathered> =>
  new Promise((resolve) => {
    const parts: Buffer[] = [];
    let bytes = 0;
    let over = false;
    const settle = (result: Gathered): void => {
      over = true;
      resolve(result);
    };
    source.read({
      data: (part) => {
        if (over) return;
        bytes += part.length;
        if (bytes <= maxBytes) parts.push(Buffer.from(part));
        else settle({ type: 'too-large' });
      },
      ended: () => settle({ type: 'whole', body: Buffer.concat(parts) }),
      broke: () => settle({ type: 'broke' }),
    });
  });

/**
 * Reads a body's beginning until `read` says that it has seen enough or the body has ended. What
 * was read is put back where the body goes on; resolves to the bytes where it ended.
 */
export const peek = <T>(
  source: Readable,
  maxBytes: number,
  read: (soFar: Buffer, last: boolean) => Promise<T | 'more'>,
): Promise<
  | { readonly type: 'read'; readonly value: T; readonly soFar: Buffer; readonly ended: boolean }
  | { readonly type: 'too-large' }
  | { readonly type: 'broke' }
> =>
  new Promise((resolve, reject) => {
    let soFar: Buffer = Buffer.alloc(0);
    let ended = false;
    let reading = false;
    let done = false;
    const stop = (): void => {
      done = true;
      source.pause();
      source.removeListener('data', onData);
      source.removeListener('end', onEnd);
      source.removeListener('close', onClose);
    };
    const look = async (): Promise<void> => {
      if (reading || done) return;
      reading = true;
      const bytes = soFar.length;
      const last = ended;
      const value = await read(soFar, last);
      reading = false;
      if (done) return;
      if (value !== 'more') {
        stop();
        resolve({ type: 'read', value, soFar, ended });
      } else if (soFar.length > bytes || ended !== last) {
        await look();
      } else if (ended || soFar.length >= maxBytes) {
        stop();
        resolve({ type: 'too-large' });
      } else {
        source.resume();
      }
    };
    const go = (): void => {
      look().catch((bug: unknown) => {
        stop();
        reject(bug instanceof Error ? bug : new Error('peeking failed'));
      });
    };
    const onData = (part: Buffer): void => {
      source.pause();
      soFar = soFar.length === 0 ? part : Buffer.concat([soFar, part]);
      go();
    };
    const onEnd = (): void => {
      ended = true;
      go();
    };
    const onClose = (): void => {
      if (done || ended) return;
      stop();
      resolve({ type: 'broke' });
    };
    source.on('data', onData);
    source.once('end', onEnd);
    source.once('close', onClose);
    if (source.readableEnded) onEnd();
    else if (source.destroyed) onClose();
  });
