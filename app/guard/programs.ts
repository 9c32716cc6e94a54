import {
  MAX_ANCESTORS,
  MAX_PROGRAM_ARGUMENT_CHARS,
  MAX_PROGRAM_ARGUMENTS,
  type Program,
} from '../contract/index.ts';

/** A program with a number of its own, so that one pid's successive programs are told apart. */
export type KnownProgram = { readonly id: number; readonly program: Program };

/** What the guard's slots mean at the moment. */
export type Programs = {
  readonly set: (slot: number, pid: number, parent: number, command: readonly string[]) => void;
  readonly get: (slot: number) => KnownProgram | undefined;
};

/** Ancestors are taken down when a program is first told of: what happens to a parent later is not its story. */
export const createPrograms = (): Programs => {
  const slots = new Map<number, KnownProgram>();
  let next = 1;
  return {
    get: (slot) => slots.get(slot),
    set: (slot, pid, parent, command) => {
      const above = slots.get(parent)?.program;
      const ancestors =
        above === undefined
          ? []
          : [above.command, ...(above.ancestors ?? [])].slice(0, MAX_ANCESTORS);
      const program: Program = {
        pid,
        command: command
          .slice(0, MAX_PROGRAM_ARGUMENTS)
          .map((argument) => argument.slice(0, MAX_PROGRAM_ARGUMENT_CHARS)),
        ...(ancestors.length > 0 && { ancestors }),
      };
      slots.set(slot, { id: next, program });
      next += 1;
    },
  };
};
