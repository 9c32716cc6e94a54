import { createInterface } from 'node:readline/promises';

/** True where a person can be asked: both ends are a terminal, and this is no CI. */
export const someoneIsThere = (): boolean =>
  process.stdin.isTTY && process.stderr.isTTY && process.env['CI'] === undefined;

/** Asks a yes-or-no question; without a person to ask, the answer is yes. */
export const ask = async (question: string): Promise<boolean> => {
  if (!someoneIsThere()) return true;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = (await lines.question(`${question} [Y/n] `)).trim().toLowerCase();
    return answer === '' || answer === 'y' || answer === 'yes';
  } finally {
    lines.close();
  }
};
