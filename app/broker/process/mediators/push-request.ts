import { fail, ok, type Result } from '../../../kit/index.ts';
import { readPktLine, type PktLine } from './pkt-line.ts';

/** Most bytes of a push before its pack: the commands, a certificate and options. */
export const MAX_PUSH_HEAD_BYTES = 1024 * 1024;

/** What a push wants of one ref. Whether an update is forced does not show on the wire. */
export type PushCommand = {
  readonly action: 'create' | 'update' | 'delete';
  readonly ref: string;
};

/** All that a push says before its pack. */
export type PushRequest = {
  readonly commands: readonly PushCommand[];
  readonly capabilities: readonly string[];
  /** Whether the commands stand in a signed certificate. */
  readonly signed: boolean;
  readonly options: readonly string[];
};

const OBJECT_ID = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;
const ZERO_ID = /^0+$/;
/** What no ref name has (git-check-ref-format(1)); `*` and the like never reach a pattern's other side. */
// oxlint-disable-next-line no-control-regex -- control characters are what is refused
const BAD_REF = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|\/\/|@\{|\/$|\.$|\.lock$/;
const SIGNATURES = new Set([
  '-----BEGIN PGP SIGNATURE-----',
  '-----BEGIN PGP MESSAGE-----',
  '-----BEGIN SIGNED MESSAGE-----',
  '-----BEGIN SSH SIGNATURE-----',
]);

const unreadable = (why: string): Result<never> =>
  fail('git.unreadable', `The push cannot be read: ${why}.`);

const textOf = (data: Buffer): string | undefined => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data);
    return text.endsWith('\n') ? text.slice(0, -1) : text;
  } catch {
    // Not UTF-8: such a name could not be held against a pattern.
    return undefined;
  }
};

const readCommand = (text: string): Result<PushCommand> => {
  const [old = '', next = '', ...rest] = text.split(' ');
  const ref = rest.join(' ');
  if (!OBJECT_ID.test(old) || !OBJECT_ID.test(next) || old.length !== next.length)
    return unreadable('a command names no objects');
  if (ref === '' || BAD_REF.test(ref)) return unreadable('a command names no ref');
  const creates = ZERO_ID.test(old);
  if (ZERO_ID.test(next)) {
    return creates ? unreadable('a command does nothing') : ok({ action: 'delete', ref });
  }
  return ok({ action: creates ? 'create' : 'update', ref });
};

type Lines = {
  /** The next line; undefined where more bytes are needed. */
  readonly next: () => Result<PktLine | undefined>;
  readonly at: () => number;
};

const linesOf = (bytes: Buffer): Lines => {
  let at = 0;
  return {
    next: () => {
      const read = readPktLine(bytes, at);
      if (!read.ok) return read;
      if (read.value === undefined) return ok(undefined);
      at = read.value.end;
      return ok(read.value.line);
    },
    at: () => at,
  };
};

/** The commands of a certificate: after its blank line, up to its signature, the way receive-pack reads them. */
const certificateCommands = (lines: readonly string[]): Result<readonly PushCommand[]> => {
  const blank = lines.indexOf('');
  if (lines[0] !== 'certificate version 0.1' || blank < 0)
    return unreadable('its certificate is of no known form');
  const end = lines.findIndex((line, index) => index > blank && SIGNATURES.has(line));
  if (end < 0) return unreadable('its certificate is not signed');
  // With a second signature receive-pack would take the first for a command.
  if (lines.slice(end + 1).some((line) => SIGNATURES.has(line)))
    return unreadable('its certificate is signed twice');
  const commands: PushCommand[] = [];
  for (const line of lines.slice(blank + 1, end)) {
    const command = readCommand(line);
    if (!command.ok) return command;
    commands.push(command.value);
  }
  return ok(commands);
};

const readOptions = (lines: Lines): Result<readonly string[] | undefined> => {
  const options: string[] = [];
  for (;;) {
    const line = lines.next();
    if (!line.ok) return line;
    if (line.value === undefined) return ok(undefined);
    if (line.value.type === 'flush') return ok(options);
    if (line.value.type !== 'data') return unreadable('its options do not end');
    const option = textOf(line.value.data);
    if (option === undefined) return unreadable('an option is no text');
    options.push(option);
  }
};

/**
 * Reads what a push says before its pack (gitprotocol-pack(5), "Reference Update Request"): shallow
 * lines, commands with their capabilities or a certificate, and push options. Undefined where more
 * bytes are needed. Strict where servers are lenient, so that nothing has a second meaning there.
 * `git.unreadable` for anything else. An empty list is git's own probe before a large push.
 */
export const readPushRequest = (bytes: Buffer, last: boolean): Result<PushRequest | undefined> => {
  const lines = linesOf(bytes);
  const commands: PushCommand[] = [];
  const certificate: string[] = [];
  let capabilities: readonly string[] = [];
  let where: 'begin' | 'commands' | 'certificate' | 'certified' = 'begin';
  const more = (): Result<undefined> =>
    last || bytes.length > MAX_PUSH_HEAD_BYTES
      ? unreadable(last ? 'it breaks off' : 'its list of refs is too long')
      : ok(undefined);

  for (;;) {
    const read = lines.next();
    if (!read.ok) return read;
    const line = read.value;
    if (line === undefined) return more();
    if (line.type === 'flush') {
      if (where === 'certificate') return unreadable('its certificate does not end');
      break;
    }
    if (line.type !== 'data') return unreadable('a marker stands where none may');
    const nul = line.data.indexOf(0);
    const text = textOf(nul < 0 ? line.data : line.data.subarray(0, nul));
    if (text === undefined) return unreadable('a line is no text');
    if (text.includes('\n')) return unreadable('a line is two');
    if (nul >= 0 && where !== 'begin') return unreadable('it names its capabilities twice');
    if (where === 'certificate') {
      if (text === 'push-cert-end') where = 'certified';
      else certificate.push(text);
      continue;
    }
    if (where === 'certified') return unreadable('commands follow its certificate');
    if (nul < 0 && text.startsWith('shallow ')) {
      if (where !== 'begin' || !OBJECT_ID.test(text.slice(8)))
        return unreadable('a shallow line stands where none may');
      continue;
    }
    if (nul >= 0) {
      const listed = textOf(line.data.subarray(nul + 1));
      if (listed === undefined || listed.includes('\0'))
        return unreadable('its capabilities are no text');
      capabilities = listed.split(' ').filter((name) => name !== '');
    }
    if (text === 'push-cert') {
      if (where !== 'begin') return unreadable('commands stand before its certificate');
      where = 'certificate';
      continue;
    }
    where = 'commands';
    const command = readCommand(text);
    if (!command.ok) return command;
    commands.push(command.value);
  }

  const signed = where === 'certified';
  if (signed) {
    const certified = certificateCommands(certificate);
    if (!certified.ok) return certified;
    commands.push(...certified.value);
  }
  if (commands.length === 0) {
    // Nothing may ride behind an empty list, which asks for nothing.
    if (signed || bytes.length > lines.at()) return unreadable('it names no ref');
    return last ? ok({ commands, capabilities, signed, options: [] }) : ok(undefined);
  }
  if (!capabilities.includes('push-options'))
    return ok({ commands, capabilities, signed, options: [] });
  const options = readOptions(lines);
  if (!options.ok) return options;
  return options.value === undefined
    ? more()
    : ok({ commands, capabilities, signed, options: options.value });
};
