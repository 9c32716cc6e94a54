import type { ServerSessionOptions } from 'node:http2';
import { MAX_HEADER_BYTES, MAX_HEADER_FIELDS } from './request-head.ts';

/** Most requests of one HTTP/2 connection at once; nghttp2 refuses further ones. */
export const MAX_STREAMS = 256;
/** Bytes of one body that may be under way before its reader has taken them. */
export const STREAM_WINDOW_BYTES = 1024 * 1024;
/** Bytes of all bodies of one connection that may be under way. */
export const SESSION_WINDOW_BYTES = 8 * 1024 * 1024;
/** Memory that one connection's streams may take, in megabytes (Node's unit). */
export const SESSION_MEMORY_MEGABYTES = 32;
/** Invalid frames after which a connection ends. */
export const MAX_INVALID_FRAMES = 100;
/** Refused streams after which a connection ends. */
export const MAX_REJECTED_STREAMS = 100;
/** Entries of one SETTINGS frame. */
export const MAX_SETTINGS = 32;
/** Streams that a peer may reset at once, and how many more each second (CVE-2023-44487). */
export const RESET_BURST = 500;
export const RESETS_A_SECOND = 50;
/** Largest DATA frame that is taken, in bytes: larger ones cost fewer turns. */
export const FRAME_BYTES = 65_536;

/**
 * What both ends of HTTP/2 bound; floods of PING, SETTINGS and CONTINUATION frames nghttp2 ends
 * by itself (its queue of answers, and 8 CONTINUATION frames a header section).
 */
export const SESSION_LIMITS = {
  maxSessionMemory: SESSION_MEMORY_MEGABYTES,
  maxHeaderListPairs: MAX_HEADER_FIELDS + 8,
  maxSessionInvalidFrames: MAX_INVALID_FRAMES,
  maxSessionRejectedStreams: MAX_REJECTED_STREAMS,
  maxSettings: MAX_SETTINGS,
  streamResetBurst: RESET_BURST,
  streamResetRate: RESETS_A_SECOND,
} as const satisfies ServerSessionOptions;

/** Settings that we announce at both ends. */
export const SESSION_SETTINGS = {
  initialWindowSize: STREAM_WINDOW_BYTES,
  maxFrameSize: FRAME_BYTES,
  maxHeaderListSize: MAX_HEADER_BYTES,
  enablePush: false,
} as const;
