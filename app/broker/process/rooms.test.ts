import { expect, it } from 'vitest';
import { FRAME_HEAD_BYTES, FRAME_TAIL_BYTES } from './chunk-frame.ts';
import { giveRoomBack, MAX_FREE_ROOMS, ROOM_BODY_BYTES, takeRoom } from './rooms.ts';

it('has room for a body’s part and the frame around it, in memory of its own', () => {
  const room = takeRoom();
  expect(room.length).toBe(FRAME_HEAD_BYTES + ROOM_BODY_BYTES + FRAME_TAIL_BYTES);
  expect(room.buffer.byteLength).toBe(room.length);
});

it('gives each room to one at a time, and keeps a few that came back', () => {
  const rooms = Array.from({ length: MAX_FREE_ROOMS + 3 }, takeRoom);
  expect(new Set(rooms).size).toBe(rooms.length);
  for (const room of rooms) giveRoomBack(room);
  const again = Array.from({ length: rooms.length }, takeRoom);
  expect(new Set(again).size).toBe(again.length);
  expect(again.filter((room) => rooms.includes(room))).toHaveLength(MAX_FREE_ROOMS);
});
