import { z } from 'zod';
import { MAX_ANCESTORS, MAX_PROGRAM_ARGUMENT_CHARS, MAX_PROGRAM_ARGUMENTS } from './bounds.ts';

/** A command line, cut at its caps. */
export const Argv = z.array(z.string().max(MAX_PROGRAM_ARGUMENT_CHARS)).max(MAX_PROGRAM_ARGUMENTS);

/** The program behind an event, as /proc showed it: cut at the caps, absent where unknown, never invented. */
export const Program = z.strictObject({
  /** Process id inside the sandbox. */
  pid: z.int().min(0),
  command: Argv,
  /** Command lines of the parents, nearest first. */
  ancestors: z.array(Argv).max(MAX_ANCESTORS).optional(),
});
export type Program = z.infer<typeof Program>;
