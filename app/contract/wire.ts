import { z } from 'zod';
import { METHODS, STREAMS, type MethodName, type StreamName } from './api.ts';
import { Problem } from './session.ts';

/** Most characters of one message, either way, as JSON. */
export const MAX_MESSAGE_JSON_CHARS = 12 * 1024 * 1024;
/** Most subscriptions one connection may hold. */
export const MAX_SUBSCRIPTIONS = 64;
/** Most calls one connection may have under way. */
export const MAX_CALLS_UNDER_WAY = 128;

const CallId = z.int().min(0).max(Number.MAX_SAFE_INTEGER);

/** Window to host. `input` is parsed again by the method's own schema. */
export const ClientMessage = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('call'),
    id: CallId,
    method: z.enum(Object.keys(METHODS) as [MethodName, ...MethodName[]]),
    input: z.unknown(),
  }),
  z.strictObject({
    type: z.literal('subscribe'),
    id: CallId,
    stream: z.enum(Object.keys(STREAMS) as [StreamName, ...StreamName[]]),
    input: z.unknown(),
  }),
  z.strictObject({ type: z.literal('unsubscribe'), id: CallId }),
]);
export type ClientMessage = z.infer<typeof ClientMessage>;

/** Host to window. */
export const ServerMessage = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('result'), id: CallId, output: z.unknown() }),
  z.strictObject({ type: z.literal('failure'), id: CallId, problem: Problem }),
  z.strictObject({ type: z.literal('item'), id: CallId, seq: z.int().min(0), item: z.unknown() }),
  /** The stream is over; with a problem where it broke. */
  z.strictObject({ type: z.literal('end'), id: CallId, problem: Problem.optional() }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;

/** What carries messages: a MessagePort in Electron, a WebSocket in the browser, a pair in tests. */
export type Wire = {
  readonly send: (message: string) => void;
  readonly onMessage: (listener: (message: string) => void) => void;
  readonly onClose: (listener: () => void) => void;
  readonly close: () => void;
};
