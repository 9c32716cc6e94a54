import {
  brotliDecompressSync,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from 'node:zlib';

/**
 * A decoder that is slow and obvious, and shares nothing with the broker's search: it writes down
 * every reading of some bytes that it can think of, and looks for the value in each.
 */

/** Layers of escapes that are taken off. */
const LAYERS = 3;
/** What a reader needs of a value: base64's edges are shared with the neighbours, and stay. */
const EDGE_CHARS = 3;

const fromHex = (code: string): string => String.fromCharCode(Number.parseInt(code, 16));

const unescapeOnce = (text: string): string =>
  text
    .replaceAll(/%([0-9a-f]{2})/gi, (_, code: string) => fromHex(code))
    .replaceAll(/\\u00([0-9a-f]{2})/gi, (_, code: string) => fromHex(code))
    .replaceAll(/\\x([0-9a-f]{2})/gi, (_, code: string) => fromHex(code))
    .replaceAll(/&#x0*([0-9a-f]{1,2});/gi, (_, code: string) => fromHex(code))
    .replaceAll(/&#0*(\d{1,3});/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll(/\\(["\\/])/g, '$1');

const words = (text: string, pattern: RegExp): readonly string[] => text.match(pattern) ?? [];

const decodedWords = (text: string): readonly string[] => [
  ...words(text, /[A-Za-z0-9+/_-]{12,}/g).flatMap((word) =>
    [0, 1, 2, 3].map((skip) => Buffer.from(word.slice(skip), 'base64').toString('latin1')),
  ),
  ...words(text, /[0-9A-Fa-f]{20,}/g).flatMap((word) =>
    [0, 1].map((skip) => Buffer.from(word.slice(skip), 'hex').toString('latin1')),
  ),
];

const layersOf = (text: string): readonly string[] => {
  const layers = [text];
  for (let layer = 0; layer < LAYERS; layer += 1) {
    const next = unescapeOnce(layers.at(-1) ?? '');
    if (next === layers.at(-1)) break;
    layers.push(next);
  }
  return layers;
};

/** Every reading of some text that there is a decoder for. */
export const readingsOf = (text: string): readonly string[] => {
  const layers = layersOf(text);
  const spaced = layers.map((layer) => layer.replaceAll('+', ' '));
  // In a form a plus is a space, and what is escaped stays a plus.
  const asForm = text.includes('+') ? layersOf(text.replaceAll('+', ' ')) : [];
  const narrow = text.replaceAll('\0', '');
  const joined = layers.map((layer) => layer.replaceAll(/\\[rn]|[\s:]/g, ''));
  const all = Array.from(new Set([...layers, ...spaced, ...asForm, narrow, ...joined]));
  return [...all, ...[...layers, ...joined].flatMap(decodedWords)];
};

/** The names of the values that some bytes hold, in any reading. */
export const valuesIn = (
  bytes: Buffer | string,
  values: Readonly<Record<string, string>>,
): readonly string[] => {
  const text = typeof bytes === 'string' ? bytes : bytes.toString('latin1');
  const found = new Set<string>();
  for (const reading of readingsOf(text)) {
    for (const [name, value] of Object.entries(values)) {
      if (reading.includes(value.slice(EDGE_CHARS, -EDGE_CHARS))) found.add(name);
    }
  }
  return Array.from(found);
};

const inflateAny = (bytes: Buffer): Buffer => {
  try {
    return inflateSync(bytes);
  } catch {
    return inflateRawSync(bytes);
  }
};

/** A body without its content codings; what cannot be decoded stays as it is. */
export const decodeBody = (bytes: Buffer, contentEncoding: string | undefined): Buffer => {
  const decoders: Readonly<Record<string, (body: Buffer) => Buffer>> = {
    gzip: (body) => gunzipSync(body),
    deflate: inflateAny,
    br: (body) => brotliDecompressSync(body),
    zstd: (body) => zstdDecompressSync(body),
  };
  try {
    return (contentEncoding ?? '')
      .split(',')
      .map((coding) => coding.trim())
      .toReversed()
      .reduce((body, coding) => decoders[coding]?.(body) ?? body, bytes);
  } catch {
    return bytes;
  }
};
