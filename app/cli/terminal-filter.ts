/** Longest control sequence that is held back to be judged; a longer one is dropped. */
export const MAX_HELD_BYTES = 4096;

const ESC = 0x1b;
const BEL = 0x07;
const ENQ = 0x05;
const isCancel = (byte: number): boolean => byte === 0x18 || byte === 0x1a;

/** Questions for the terminal's colours, which tell light from dark: the only operating system commands that pass. */
const COLOUR_QUESTION = /^(?:4;[0-9]{1,3}|1[0-2]);\?$/;

/** Final bytes of CSI sequences that do more than draw: `t` window operations and title reports, `i` printing. */
const REFUSED_CSI = new Set([0x74, 0x69]);

/** Continuation bytes that must follow a UTF-8 lead byte; 0 where it is no valid lead. */
const followersOf = (byte: number): number => {
  if (byte >= 0xc2 && byte <= 0xdf) return 1;
  if (byte >= 0xe0 && byte <= 0xef) return 2;
  return byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
};

/**
 * What a program inside prints reaches the user's own terminal only through this. Left out are control
 * strings that terminals act on (clipboard, files, images, notifications, titles, links: OSC, DCS, APC,
 * PM, SOS), window operations, printing, answerback, character set switches away from UTF-8, and C1
 * controls in any spelling. Text, colour, cursor, screens, mouse and keyboard modes pass. State lives across calls.
 */
export const createTerminalFilter = (): ((bytes: Uint8Array) => Uint8Array) => {
  let state: 'text' | 'escape' | 'csi' | 'string' | 'string-escape' = 'text';
  let held: number[] = [];
  let passed: Buffer = Buffer.alloc(0);
  let length = 0;
  /** Continuation bytes still to come, and the lead byte where it was the last one. */
  let following = 0;
  let lead = 0;

  const pass = (byte: number): void => {
    passed[length] = byte;
    length += 1;
  };
  const hold = (byte: number): void => {
    if (held.length <= MAX_HELD_BYTES) held.push(byte);
  };
  const start = (): void => {
    held = [ESC];
    state = 'escape';
  };
  const drop = (): void => {
    held = [];
    state = 'text';
  };
  const release = (): void => {
    if (held.length <= MAX_HELD_BYTES) for (const byte of held) pass(byte);
    drop();
  };

  /** A byte of 0x80 and above: passes as part of a valid character that is no C1 control. */
  const onHighByte = (byte: number): void => {
    if (byte >= 0xc0) {
      following = followersOf(byte);
      lead = byte;
      // Two bytes decide whether it is a C1 control: the lead waits.
      if (following > 0 && byte !== 0xc2) pass(byte);
      return;
    }
    if (following === 0) return;
    const overlong = (lead === 0xe0 && byte < 0xa0) || (lead === 0xf0 && byte < 0x90);
    const isC1 = lead === 0xc2 && byte < 0xa0;
    if (overlong || isC1) {
      following = 0;
      return;
    }
    if (lead === 0xc2) pass(0xc2);
    lead = 0;
    following -= 1;
    pass(byte);
  };
  const onText = (byte: number): void => {
    if (byte >= 0x80) return onHighByte(byte);
    following = 0;
    if (byte === ESC) return start();
    // ENQ asks the terminal for its answerback message.
    if (byte !== ENQ) pass(byte);
  };
  const onEscape = (byte: number): void => {
    if (byte === ESC) return start();
    if (isCancel(byte)) return drop();
    if (byte >= 0x80) {
      drop();
      return onText(byte);
    }
    hold(byte);
    if (held.length === 2 && byte === 0x5b) state = 'csi';
    else if (held.length === 2 && [0x5d, 0x50, 0x58, 0x5e, 0x5f].includes(byte)) state = 'string';
    // Controls in the middle are obeyed at once and the sequence goes on; intermediates belong to it.
    else if (byte < 0x30 || byte === 0x7f) return;
    // A control stood between ESC and this byte, so the terminal is about to open a CSI or a string.
    else if (held.some((other) => other < 0x20 && other !== ESC)) drop();
    // ESC % chooses another coding system, under which the rules above would not hold.
    else if (held[1] === 0x25) drop();
    else release();
  };
  const onCsi = (byte: number): void => {
    if (byte === ESC) return start();
    if (isCancel(byte)) return drop();
    if (byte >= 0x80) {
      drop();
      return onText(byte);
    }
    hold(byte);
    if (byte < 0x40 || byte === 0x7f) return;
    if (REFUSED_CSI.has(byte)) drop();
    else release();
  };
  const endString = (terminator: number): void => {
    const body = Buffer.from(held.slice(2, -terminator)).toString('latin1');
    if (held[1] === 0x5d && COLOUR_QUESTION.test(body)) release();
    else drop();
  };
  const onString = (byte: number): void => {
    if (state === 'string-escape') {
      if (byte === 0x5c) {
        hold(byte);
        return endString(2);
      }
      // ESC ends the string whatever follows; what follows begins anew.
      start();
      return onEscape(byte);
    }
    if (isCancel(byte)) return drop();
    hold(byte);
    if (byte === ESC) state = 'string-escape';
    else if (byte === BEL && held[1] === 0x5d) endString(1);
  };

  return (bytes) => {
    passed = Buffer.alloc(bytes.byteLength + held.length + 2);
    length = 0;
    for (const byte of bytes) {
      if (state === 'text') onText(byte);
      else if (state === 'escape') onEscape(byte);
      else if (state === 'csi') onCsi(byte);
      else onString(byte);
    }
    return passed.subarray(0, length);
  };
};
