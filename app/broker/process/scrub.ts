import { prepareNeedles, type Needle } from './needles.ts';
import { createSearch, findsNone, type Search } from './search.ts';
import { needlesOf, type ScrubPair } from './secret-forms.ts';

/** Replaces every granted secret by its placeholder on the way to the sandbox. */
export type Scrubber = {
  /** False where there is nothing to look for. */
  readonly active: boolean;
  /** Whether a replacement can change the length of what it stands in. */
  readonly changesLength: boolean;
  /** Scrubs a short text, such as a header value (latin1, as Node hands it over) or a path. */
  readonly text: (value: string) => { readonly text: string; readonly hits: number };
  /** `sameLength` where the bytes are counted by something around them, such as a message's length. */
  readonly stream: (sameLength?: boolean) => Search;
  /** All that is looked for as bytes; never for a log. */
  readonly needles: readonly Needle[];
};

export const createScrubber = (pairs: readonly ScrubPair[]): Scrubber => {
  const needles = prepareNeedles(pairs.flatMap(needlesOf));
  const active = needles.list.length > 0;
  return {
    active,
    changesLength: active,
    text: (value) => {
      // However it is spelt, nothing is shorter than it is by itself.
      if (!active || value.length < needles.shortestBytes) return { text: value, hits: 0 };
      const bytes = Buffer.from(value, 'latin1');
      if (findsNone(needles, bytes)) return { text: value, hits: 0 };
      const search = createSearch(needles);
      const first = search.push(bytes);
      const rest = search.end();
      return {
        text: Buffer.concat([...first.out, ...rest.out]).toString('latin1'),
        hits: first.hits.length + rest.hits.length,
      };
    },
    stream: (sameLength) => createSearch(needles, sameLength),
    needles: needles.list,
  };
};
