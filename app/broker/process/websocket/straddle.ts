import type { Needle } from '../needles.ts';

/** A secret in one spelling, and what stands there instead. */
export type Sought = Pick<Needle, 'find' | 'replace'>;

/** Fewest bytes of a secret that count as a part of it, where it is cut by the border of a message. */
export const MIN_PART_BYTES = 6;

/** From how many bytes on the beginning of a secret is replaced although its end has not come. */
const toldFrom = ({ find }: Sought): number => Math.max(MIN_PART_BYTES, Math.ceil(find.length / 2));

const isAscii = (bytes: Buffer): boolean => bytes.every((byte) => byte < 0x80);

/** A needle whose first `matched` bytes are the last ones that went by. */
type Begun = { readonly needle: Sought; readonly matched: number; readonly replaced: boolean };

export type StraddleStep = { readonly bytes: Buffer; readonly hits: number };

/**
 * Finds secrets that are cut by the borders of messages, where no search may hold anything back.
 * What begins a secret at a message's end waits for nobody: it goes, unless it is half of it or
 * more. What goes on with a secret that the message before began is replaced as soon as half of it
 * has been told. Of a secret told byte by byte, half comes through at most, never the whole.
 */
export type Straddle = {
  /** Payload of the message as it comes, before any other search. */
  readonly push: (bytes: Buffer) => StraddleStep;
  /** The message ends; `held` is what the search inside the message still holds back. */
  readonly end: (held: Buffer) => StraddleStep;
};

const replacementOf = ({ find, replace }: Sought): Buffer => {
  const by = replace(find);
  return by.length === 0 ? Buffer.alloc(find.length, '*') : Buffer.alloc(find.length, by);
};

/** Writes the needle's replacement over the bytes that are the needle's own, byte for byte. */
const cover = (bytes: Buffer, needle: Sought, from: number, at: number, length: number): Buffer => {
  const out = Buffer.from(bytes);
  replacementOf(needle).copy(out, at, from, from + length);
  return out;
};

const commonBytes = (find: Buffer, from: number, bytes: Buffer): number => {
  const most = Math.min(find.length - from, bytes.length);
  let count = 0;
  while (count < most && find[from + count] === bytes[count]) count += 1;
  return count;
};

export const createStraddle = (needles: readonly Sought[]): Straddle => {
  // A replacement byte by byte may cut characters apart; only ASCII has none to cut.
  const list = needles.filter(
    (needle) =>
      needle.find.length > MIN_PART_BYTES && isAscii(needle.find) && isAscii(replacementOf(needle)),
  );
  const byFirst = new Map<number, Sought[]>();
  for (const needle of list) {
    const first = needle.find[0] ?? 0;
    byFirst.set(first, [...(byFirst.get(first) ?? []), needle]);
  }
  const longest = list.reduce((most, { find }) => Math.max(most, find.length), 0);
  let tail: Buffer = Buffer.alloc(0);
  let begun: readonly Begun[] = [];

  const remember = (bytes: Buffer): void => {
    const keep = longest - 1;
    tail =
      bytes.length >= keep
        ? Buffer.from(bytes.subarray(bytes.length - keep))
        : Buffer.concat([tail, bytes]).subarray(-keep);
  };

  const atEnd = (): Begun[] => {
    const found: Begun[] = [];
    for (let at = 0; at < tail.length; at += 1) {
      const left = tail.length - at;
      for (const needle of byFirst.get(tail[at] ?? -1) ?? []) {
        if (needle.find.length <= left) continue;
        if (tail.compare(needle.find, 0, left, at, tail.length) !== 0) continue;
        found.push({ needle, matched: left, replaced: false });
      }
    }
    return found;
  };

  return {
    push: (bytes) => {
      if (longest === 0 || bytes.length === 0) return { bytes, hits: 0 };
      remember(bytes);
      let hits = 0;
      let out = bytes;
      let covered = 0;
      const next: Begun[] = [];
      for (const { needle, matched, replaced } of begun) {
        const more = commonBytes(needle.find, matched, bytes);
        const total = matched + more;
        const told = more > 0 && total >= toldFrom(needle);
        if (told && more > covered) {
          out = cover(out, needle, matched, 0, more);
          covered = more;
          if (!replaced) hits += 1;
        }
        if (more === bytes.length && total < needle.find.length) {
          next.push({ needle, matched: total, replaced: replaced || told });
        }
      }
      begun = next;
      return { bytes: out, hits };
    },
    end: (held) => {
      if (longest === 0) return { bytes: held, hits: 0 };
      const known = begun;
      begun = atEnd().map((found) => ({
        ...found,
        replaced: known.some(
          ({ needle, matched, replaced }) =>
            replaced && needle === found.needle && matched === found.matched,
        ),
      }));
      const told = begun
        .filter(({ needle, matched }) => matched >= toldFrom(needle))
        .toSorted((a, b) => b.matched - a.matched)[0];
      if (told === undefined || held.length === 0) return { bytes: held, hits: 0 };
      const length = Math.min(told.matched, held.length);
      const at = held.length - length;
      const bytes = cover(held, told.needle, told.matched - length, at, length);
      begun = begun.map((one) => (one.needle === told.needle ? { ...one, replaced: true } : one));
      return { bytes, hits: told.replaced ? 0 : 1 };
    },
  };
};
