import { openSync } from 'node:fs';
import { ReadStream, WriteStream } from 'node:tty';
import { MAX_SECRET_CHARS, type Code } from '../contract/index.ts';
import { fail, ok, Secret, type Failure, type Result } from '../kit/index.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const CTRL_U = '\u0015';
const BACKSPACE = new Set(['\u007f', '\b']);

const badValue = (why: string): Result<never, Failure<Code>> =>
  fail('credential.bad-value', `The secret ${why}.`);

/** Reads a secret from a pipe to its end; one final line break is not part of it. */
export const readSecret = async (
  input: AsyncIterable<Buffer | string>,
): Promise<Result<Secret, Failure<Code>>> => {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of input) {
    const bytes = Buffer.from(part);
    length += bytes.byteLength;
    if (length > 4 * MAX_SECRET_CHARS)
      return badValue(`is longer than ${MAX_SECRET_CHARS} characters`);
    parts.push(bytes);
  }
  const text = Buffer.concat(parts)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (text === '') return badValue('is empty: nothing came on standard input');
  if (text.length > MAX_SECRET_CHARS)
    return badValue(`is longer than ${MAX_SECRET_CHARS} characters`);
  return ok(new Secret(text));
};

type Keyboard = Pick<ReadStream, 'setRawMode' | 'on' | 'off' | 'pause' | 'resume'>;

/** Takes one line from a keyboard in raw mode, so that nothing of it is shown. Undefined where the person gave up. */
export const readHiddenLine = (keyboard: Keyboard): Promise<string | undefined> =>
  new Promise((resolve) => {
    let line: string[] = [];
    const end = (value: string | undefined): void => {
      keyboard.off('data', onData);
      keyboard.setRawMode(false);
      keyboard.pause();
      resolve(value);
    };
    const onData = (data: Buffer | string): void => {
      for (const character of data.toString('utf8')) {
        if (character === '\r' || character === '\n') return end(line.join(''));
        if (character === CTRL_C || (character === CTRL_D && line.length === 0)) {
          return end(undefined);
        }
        if (character === CTRL_U) line = [];
        else if (BACKSPACE.has(character)) line.pop();
        else if (character >= ' ' && line.length < MAX_SECRET_CHARS) line.push(character);
      }
    };
    keyboard.setRawMode(true);
    keyboard.on('data', onData);
    keyboard.resume();
  });

/** Asks the person at the terminal, whatever standard input and output are. Undefined where nobody is there. */
export const promptSecret = async (question: string): Promise<Secret | undefined> => {
  let keyboard: ReadStream;
  let screen: WriteStream;
  try {
    keyboard = new ReadStream(openSync('/dev/tty', 'r'));
    screen = new WriteStream(openSync('/dev/tty', 'w'));
  } catch {
    return undefined; // No terminal: nobody can be asked, and the caller says what that means.
  }
  try {
    screen.write(question);
    const line = await readHiddenLine(keyboard);
    screen.write('\n');
    return line === undefined || line === '' ? undefined : new Secret(line);
  } finally {
    keyboard.destroy();
    screen.destroy();
  }
};
