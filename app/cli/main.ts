import process from 'node:process';
import { runCommandLine } from './program.ts';

/** The `glovebox` command. Started by scripts/glovebox.mjs with the Node that the packages brought. */
const main = async (): Promise<void> => {
  const { stdin, stdout, stderr, env } = process;
  try {
    process.exitCode = await runCommandLine(process.argv.slice(2), {
      stdin,
      stdout,
      stderr,
      env,
      workingFolder: process.cwd(),
    });
  } catch (reason) {
    // A bug: the stack goes to whoever can mend it, and the status is ours.
    stderr.write(
      `glovebox: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}\n`,
    );
    process.exitCode = 125;
  }
};

await main();
