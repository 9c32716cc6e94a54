import type { Duplex } from 'node:stream';
import type { Clock } from '../../../kit/index.ts';

/** What a parser says of the bytes so far: undefined asks for more. */
export type Parsed<T> = { readonly value: T; readonly used: number } | undefined;

/** How a message that was waited for did not come. */
export type NotRead = 'gone' | 'late' | 'too-large';

export type ReadLimits = {
  /** Most bytes that are looked at before the message must be whole. */
  readonly maxBytes: number;
  /** How long the message may take, in milliseconds. */
  readonly withinMs: number;
};

/**
 * Reads one message off the front of a stream and puts back what follows it, so that the next
 * reader, whoever it is, finds the stream as the peer wrote it. Never writes, never throws; what is
 * wrong with the bytes is the parser's to say as a value.
 */
export const readFirst = <T>(
  stream: Duplex,
  clock: Clock,
  { maxBytes, withinMs }: ReadLimits,
  parse: (bytes: Buffer) => Parsed<T>,
): Promise<{ readonly value: T } | { readonly failed: NotRead }> =>
  new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const finish = (result: { readonly value: T } | { readonly failed: NotRead }): void => {
      cancel();
      stream.removeListener('readable', onReadable);
      stream.removeListener('end', onGone);
      stream.removeListener('close', onGone);
      if (bytes.length > 0 && !stream.destroyed && !stream.readableEnded) stream.unshift(bytes);
      resolve(result);
    };
    const onGone = (): void => finish({ failed: 'gone' });
    const onReadable = (): void => {
      for (;;) {
        const chunk = stream.read() as Buffer | null;
        if (chunk === null) return;
        bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
        const parsed = parse(bytes);
        if (parsed !== undefined) {
          bytes = bytes.subarray(parsed.used);
          finish({ value: parsed.value });
          return;
        }
        if (bytes.length >= maxBytes) {
          finish({ failed: 'too-large' });
          return;
        }
      }
    };
    const cancel = clock.after(withinMs, () => finish({ failed: 'late' }));
    stream.on('readable', onReadable);
    stream.on('end', onGone);
    stream.on('close', onGone);
    if (stream.destroyed || stream.readableEnded) onGone();
    // What an earlier reader put back makes no event of its own.
    else if (stream.readableLength > 0) onReadable();
  });
