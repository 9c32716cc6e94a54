import { streamSource, type BodySource } from './body-source.ts';
import { createDecoder, parseCodings } from './content-decoding.ts';
import type { Step } from './pump.ts';
import type { Hit, Search, SearchStep } from './search.ts';

const stepOf = (
  search: Search,
  take: (step: SearchStep) => readonly Buffer[] | undefined,
): Step => ({
  push: (chunk) => take(search.push(chunk)),
  end: () => take(search.end()),
  holds: () => search.holds?.() === true,
  pause: () => take(search.pause?.() ?? { out: [], hits: [] }),
});

/** Passes a body on with what was found replaced; tells how many bytes went on and how much was found. */
export const scrubbing = (search: Search, count: (bytes: number, hits: number) => void): Step => {
  const take = ({ out, hits }: SearchStep): readonly Buffer[] => {
    let bytes = 0;
    for (const part of out) bytes += part.length;
    count(bytes, hits.length);
    return out;
  };
  return stepOf(search, take);
};

/** Passes a body on until something is found in it that `stops`; of the chunk that completes it nothing goes on. */
export const searching = (
  search: Search,
  stops: (hit: Hit) => boolean,
  count: (bytes: number) => void,
): Step => {
  const take = ({ out, hits }: SearchStep): readonly Buffer[] | undefined => {
    const [hit] = hits;
    if (hit !== undefined && stops(hit)) return undefined;
    let bytes = 0;
    for (const part of out) bytes += part.length;
    count(bytes);
    return out;
  };
  return stepOf(search, take);
};

/** Scrubs a body that is whole. */
export const scrubWhole = (
  search: Search,
  parts: readonly Buffer[],
): { readonly body: Buffer; readonly hits: number } => {
  const out: Buffer[] = [];
  let hits = 0;
  for (const part of parts) {
    const step = search.push(part);
    out.push(...step.out);
    hits += step.hits.length;
  }
  const rest = search.end();
  out.push(...rest.out);
  hits += rest.hits.length;
  const [only] = out;
  return { body: out.length === 1 && only !== undefined ? only : Buffer.concat(out), hits };
};

/** A body with its content codings taken off. A source that breaks off breaks what reads this. */
export const decodedBody = (body: BodySource, encoding: string | undefined): BodySource => {
  const codings = parseCodings(encoding);
  if (codings === undefined || codings.length === 0) return body;
  const decoder = createDecoder(codings);
  let full = false;
  const onDrain = (): void => {
    full = false;
    body.resume();
  };
  body.read({
    data: (chunk) => {
      if (decoder.destroyed || decoder.write(Buffer.from(chunk)) || full) return;
      full = true;
      body.pause();
      decoder.once('drain', onDrain);
    },
    ended: () => decoder.end(),
    broke: () => decoder.destroy(),
  });
  return streamSource(decoder);
};
