import { say } from './step.ts';

const QUIET_MS = 3000;

/**
 * Prints what a long step is doing: at once when it turns to something else, otherwise every few seconds.
 * A step of a hundred small parts (a package after another) stays readable in a log.
 */
export const createProgress = (
  name: string,
  now: () => number = () => performance.now(),
): ((message: string) => void) => {
  let topic = '';
  let last = Number.NEGATIVE_INFINITY;
  return (message) => {
    const [first = ''] = message.split(':');
    if (first === topic && now() - last < QUIET_MS) return;
    topic = first;
    last = now();
    say(`  ${name}: ${message}`);
  };
};
