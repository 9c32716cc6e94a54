import { createSearch, prepareNeedles, type Needle, type Search } from './needles.ts';

/** Shortest encoded form that is looked for, in characters: anything shorter occurs by chance. */
export const MIN_ENCODED_CHARS = 10;

export type ScrubPair = { readonly secret: string; readonly placeholder: string };

/**
 * The characters of base64 text that the bytes alone decide when they begin `shift` bytes into a
 * group of three: the edges, which neighbours share, are left out.
 */
const base64Core = (bytes: Buffer, shift: number): string => {
  const text = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64');
  const from = Math.ceil((shift * 8) / 6);
  const to = Math.floor(((shift + bytes.length) * 8) / 6);
  return text.slice(from, to);
};

const fill = (pattern: string, length: number): string =>
  pattern.repeat(Math.ceil(length / Math.max(1, pattern.length))).slice(0, length);

const urlSafe = (text: string): string => text.replaceAll('+', '-').replaceAll('/', '_');

const base64Forms = (pair: ScrubPair): [string, string][] =>
  [0, 1, 2].flatMap((shift) => {
    const find = base64Core(Buffer.from(pair.secret), shift);
    const replace = fill(base64Core(Buffer.from(pair.placeholder), shift), find.length);
    return [
      [find, replace],
      [urlSafe(find), urlSafe(replace)],
    ] satisfies [string, string][];
  });

const textForms = ({ secret, placeholder }: ScrubPair): [string, string][] => {
  const percent = encodeURIComponent(secret);
  return [
    [secret, placeholder],
    [percent, placeholder],
    [percent.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase()), placeholder],
    [JSON.stringify(secret).slice(1, -1), placeholder],
    [JSON.stringify(secret).slice(1, -1).replaceAll('/', '\\/'), placeholder],
  ];
};

/** Replaces every granted secret by its placeholder on the way to the sandbox. */
export type Scrubber = {
  /** False where there is nothing to look for. */
  readonly active: boolean;
  /** Whether a replacement can change the length of what it stands in. */
  readonly changesLength: boolean;
  /** Scrubs a short text, such as a header value (latin1, as Node hands it over) or a path. */
  readonly text: (value: string) => { readonly text: string; readonly hits: number };
  readonly stream: () => Search;
  /** All that is looked for as bytes; never for a log. */
  readonly needles: readonly Needle[];
};

export const createScrubber = (pairs: readonly ScrubPair[]): Scrubber => {
  const needles = prepareNeedles(
    pairs.flatMap((pair, owner) => [
      ...textForms(pair).map(([find, replace]): Needle => ({
        find: Buffer.from(find),
        replace: Buffer.from(replace),
        owner,
      })),
      ...base64Forms(pair)
        .filter(([find]) => find.length >= MIN_ENCODED_CHARS)
        .map(([find, replace]): Needle => ({
          find: Buffer.from(find),
          replace: Buffer.from(replace),
          owner,
        })),
    ]),
  );
  return {
    active: needles.list.length > 0,
    changesLength: needles.list.some(({ find, replace }) => find.length !== replace.length),
    text: (value) => {
      if (needles.list.length === 0) return { text: value, hits: 0 };
      const search = createSearch(needles);
      const first = search.push(Buffer.from(value, 'latin1'));
      const rest = search.end();
      const hits = first.hits.length + rest.hits.length;
      if (hits === 0) return { text: value, hits };
      return { text: Buffer.concat([...first.out, ...rest.out]).toString('latin1'), hits };
    },
    stream: () => createSearch(needles),
    needles: needles.list,
  };
};
