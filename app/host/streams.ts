import { fail, ok, type Clock } from '../kit/index.ts';
import type { Attachments } from './attachments.ts';
import type { Rooms } from './handlers.ts';
import type { StreamOpeners } from './port.ts';
import { streamTimeline } from './timeline-stream.ts';

const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');

/** The streams of the contract, for one connection. */
export const createStreams = (
  rooms: Rooms & { readonly clock: Clock },
  attachments: Attachments,
): StreamOpeners => ({
  host: async (_input, { send }) => {
    const undo = rooms.status.onChange(send);
    send(rooms.status.current());
    return ok(undo);
  },
  sessions: async (_input, { send }) => {
    const undo = rooms.sessions.onChange(send);
    // Whoever sees the sessions sees their questions too, and can answer.
    const leave = rooms.sessions.attend();
    send({ type: 'all', sessions: Array.from(rooms.sessions.list()) });
    return ok(() => {
      undo();
      leave();
    });
  },
  timeline: async ({ session }, sink) => streamTimeline(rooms, session, sink),
  terminal: async ({ session, terminal }, { send, end }) => {
    const found = rooms.sessions.terminal(session, terminal);
    if (found === undefined) {
      return fail('session.not-running', 'That terminal is not open.', 'Open a new one.');
    }
    const attachment = await found.attach({
      onBytes: (bytes) => send({ type: 'bytes', base64: base64(bytes) }),
      onExit: (exitCode) => {
        send({ type: 'exit', exitCode });
        end();
      },
    });
    const forget = attachments.add(terminal, attachment);
    const { size, bytes } = attachment.snapshot;
    send({ type: 'snapshot', size, base64: base64(bytes) });
    return ok(() => {
      forget();
      attachment.detach();
    });
  },
});
