import type { Http2Stream } from 'node:http2';
import type { Sink } from './http-call.ts';
import { onceWritten } from './once-written.ts';

/** Where a stream's body goes; nghttp2 frames it, so that only the memory is told of. */
export const http2Sink = (stream: Http2Stream): Sink => ({
  write: (chunk) => stream.write(chunk),
  writeWithin: (room, start, end, done) =>
    stream.write(room.subarray(start, end), onceWritten(done)),
  once: (event, listener) => stream.once(event, listener),
  removeListener: (event, listener) => stream.removeListener(event, listener),
});
