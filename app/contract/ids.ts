import type { Brand } from '../kit/index.ts';
import { z } from 'zod';

/** Twelve Crockford base-32 characters. */
export type SessionId = Brand<string, 'SessionId'>;
export const SessionId = z
  .string()
  .max(12)
  .regex(/^[0-9a-hjkmnp-tv-z]{12}$/, 'not a session id')
  .transform((text) => text as SessionId);

/** A terminal tab of a session. */
export type TerminalId = Brand<string, 'TerminalId'>;
export const TerminalId = z
  .string()
  .max(8)
  .regex(/^[0-9a-hjkmnp-tv-z]{8}$/, 'not a terminal id')
  .transform((text) => text as TerminalId);
