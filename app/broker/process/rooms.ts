import { FRAME_HEAD_BYTES, FRAME_TAIL_BYTES } from './chunk-frame.ts';
import { spend } from './spent-buffers.ts';

/** How much of a body one room takes, in bytes. */
export const ROOM_BODY_BYTES = 256 * 1024;
/** Most rooms that are kept for the next body. */
export const MAX_FREE_ROOMS = 32;

/**
 * Memory in which the pieces of a body are put together, with place for a frame around them. Memory
 * that was never used before is what costs most about a copy; a room that comes back is warm.
 */
export type Room = Buffer;

const free: Room[] = [];

/** A room whose contents are anything. */
export const takeRoom = (): Room => {
  const kept = free.pop();
  if (kept !== undefined) return kept;
  spend(ROOM_BODY_BYTES);
  return Buffer.allocUnsafeSlow(FRAME_HEAD_BYTES + ROOM_BODY_BYTES + FRAME_TAIL_BYTES);
};

/** Keeps no room for a next body, until one comes back. */
export const forgetRooms = (): void => {
  free.length = 0;
};

/** Takes a room back that nobody reads any more: the next body will be written over what is in it. */
export const giveRoomBack = (room: Room): void => {
  if (free.length < MAX_FREE_ROOMS) free.push(room);
};
