/** Most bytes of one unfinished escape sequence that are kept; a longer one (an image, say) is cut and ends up ignored. */
export const MAX_TAIL_BYTES = 64 * 1024;

/** Where in the stream of ECMA-48 control functions and UTF-8 characters the last byte left us. */
type State = 'ground' | 'utf8' | 'escape' | 'csi' | 'osc' | 'string';

const ESC = 0x1b;

/**
 * Follows terminal output and remembers the bytes of a control sequence (ECMA-48) or UTF-8 character
 * that is not finished yet. Whoever joins in the middle of one needs them: the screen does not show them.
 */
export type SequenceTail = {
  readonly feed: (bytes: Uint8Array) => void;
  /** The unfinished bytes; empty at a clean boundary. */
  readonly bytes: () => Uint8Array;
};

export const createSequenceTail = (): SequenceTail => {
  let state: State = 'ground';
  /** State to fall back to once the character is complete. */
  let outer: Exclude<State, 'utf8'> = 'ground';
  let missing = 0;
  let lead = 0;
  let kept: number[] = [];

  const to = (next: Exclude<State, 'utf8'>): void => {
    state = next;
    if (next === 'ground') kept = [];
  };
  const keep = (byte: number): void => {
    if (kept.length < MAX_TAIL_BYTES) kept.push(byte);
  };
  const begin = (next: State, byte: number): void => {
    state = next;
    kept = [byte];
  };

  /** A complete C1 control, which terminals accept in its UTF-8 form. */
  const onC1 = (code: number): void => {
    if (code === 0x9b) state = 'csi';
    else if (code === 0x9d) state = 'osc';
    else if (code === 0x90 || code === 0x98 || code === 0x9e || code === 0x9f) state = 'string';
    else to('ground');
  };

  const onCharacterByte = (byte: number): boolean => {
    if ((byte & 0xc0) !== 0x80) {
      // Broken character: the terminal drops it and judges this byte afresh.
      if (outer === 'ground') kept = [];
      state = outer;
      return false;
    }
    keep(byte);
    missing -= 1;
    if (missing > 0) return true;
    const isC1 = lead === 0xc2 && byte < 0xa0;
    if (isC1) {
      if (outer !== 'ground') kept = [lead, byte];
      onC1(byte);
    } else {
      to(outer === 'osc' || outer === 'string' ? outer : 'ground');
    }
    return true;
  };

  const onLead = (byte: number): void => {
    missing = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : byte >= 0xc2 ? 1 : 0;
    if (missing === 0) return;
    outer = state === 'utf8' ? 'ground' : state;
    lead = byte;
    if (outer === 'ground') kept = [byte];
    else keep(byte);
    state = 'utf8';
  };

  const onByte = (byte: number): void => {
    if (state === 'utf8' && onCharacterByte(byte)) return;
    if (byte === ESC) return begin('escape', byte);
    if (byte === 0x18 || byte === 0x1a) return to('ground');
    if (byte >= 0x80) return onLead(byte);
    if (state === 'ground') return;
    keep(byte);
    if (state === 'escape') {
      if (byte === 0x5b) state = 'csi';
      else if (byte === 0x5d) state = 'osc';
      else if (byte === 0x50 || byte === 0x58 || byte === 0x5e || byte === 0x5f) state = 'string';
      else if (byte >= 0x30 && byte <= 0x7e) to('ground');
    } else if (state === 'csi') {
      if (byte >= 0x40 && byte <= 0x7e) to('ground');
    } else if (state === 'osc' && byte === 0x07) {
      to('ground');
    }
  };

  return {
    feed: (bytes) => {
      for (const byte of bytes) {
        // The common case, kept short: printable text between sequences.
        if (state === 'ground' && byte < 0x80 && byte !== ESC) continue;
        onByte(byte);
      }
    },
    bytes: () => Uint8Array.from(kept),
  };
};
