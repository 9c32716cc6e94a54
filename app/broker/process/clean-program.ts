import type { Program } from '../../contract/index.ts';

/** A program as it may be recorded: secrets that its command lines were given are taken out. */
export const cleanProgram = (program: Program, redact: (text: string) => string): Program => {
  const told = [program.command, ...(program.ancestors ?? [])].flat().join('\0');
  // Nearly every command holds no secret: one search over all of it says so.
  if (redact(told) === told) return program;
  const clean = (command: readonly string[]): string[] => command.map(redact);
  return {
    ...program,
    command: clean(program.command),
    ...(program.ancestors === undefined ? {} : { ancestors: program.ancestors.map(clean) }),
  };
};
