import type { Failure } from '../kit/index.ts';

/** Where the command line speaks: the command's own output on one side, Glovebox's words on the other. */
export type Console = {
  /** One line of what the user asked for (standard output). */
  readonly out: (line: string) => void;
  /** One line of ours (standard error). */
  readonly say: (line: string) => void;
  /** One line of progress; left out with `--quiet`. */
  readonly progress: (line: string) => void;
};

/** The streams and surroundings of one invocation. Injected, so that tests see what a user would. */
export type Surroundings = {
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingFolder: string;
};

// C0, C1, bidirectional controls (Unicode TR36, 2.10) and line separators: what could redraw a line or lie about a name.
const UNPRINTABLE =
  // oxlint-disable-next-line no-control-regex -- those are what is looked for
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Names and messages may come from inside a sandbox: control and direction characters are shown, never obeyed. */
export const printable = (text: string): string =>
  text.replace(
    UNPRINTABLE,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}}`,
  );

export const createConsole = (
  streams: Pick<Surroundings, 'stdout' | 'stderr'>,
  quiet = false,
): Console => {
  const say = (line: string): void => {
    streams.stderr.write(`${line}\n`);
  };
  return {
    out: (line) => {
      streams.stdout.write(`${line}\n`);
    },
    say,
    progress: quiet ? () => undefined : say,
  };
};

/** Says what failed, its code, and what to do. */
export const sayFailure = (console: Console, failure: Failure): void => {
  console.say(`glovebox: ${printable(failure.message)} [${failure.code}]`);
  if (failure.hint !== undefined) console.say(`  ${printable(failure.hint)}`);
};
