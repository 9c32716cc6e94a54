import { readJwt } from './mediators/jwt.ts';
import { remember } from './mediators/remember.ts';
import type { Needle } from './needles.ts';

/** Shortest secret that is looked for, in bytes: a server may call a token what is a letter or a word. */
export const MIN_SOUGHT_BYTES = 8;
/**
 * So many escapes in a row are no secret, and each could be read in several ways: what holds them is
 * looked for as it is and encoded, but not escaped once more.
 */
const ESCAPES_IN_A_ROW = /(?:\\|%25|&amp;|\\u005c|\\x5c){24}/i;
/** Shortest encoded form that is looked for, in characters: anything shorter occurs by chance. */
export const MIN_ENCODED_CHARS = 10;
/** Longest secret that is looked for as one, in bytes; of a longer one, such as a private key, each piece is. */
export const MAX_WHOLE_BYTES = 256;
/** Length of such pieces, in bytes; the last one may be nearly twice as long. */
export const PIECE_BYTES = 128;

/** Longest secret that is looked for in names, which have 255 bytes themselves. */
export const MAX_NAME_SECRET_BYTES = 160;
/** Shortest form that is looked for in names, in characters. */
export const MIN_NAME_CHARS = 8;

export type ScrubPair = { readonly secret: string; readonly placeholder: string };

/** One way in which a secret may stand in bytes. */
export type SecretForm = {
  readonly find: Buffer;
  /** What stands there instead; `cycle` repeats it to the same length, line breaks kept. */
  readonly replace: Buffer;
  readonly cycle: boolean;
  readonly escapes: boolean;
  readonly wraps: boolean;
};

const PEM = /-----BEGIN [A-Z0-9 ]{1,64}-----([\s\S]{16,}?)-----END/;

/** Without the lines around a PEM text, which all of its kind share. */
const bodyOf = (text: string): string => PEM.exec(text)?.[1]?.trim() ?? text;

/** Shortest signature that tells one token from all others, in characters. */
export const MIN_SIGNATURE_CHARS = 32;
/** Shortest id of a token that is looked for, in characters. */
export const MIN_TOKEN_ID_CHARS = 12;

/** A JSON Web Token too long to be looked for as one: what is signed, and the signature. */
const longToken = (
  text: string,
): { readonly signed: string; readonly signature: string; readonly id: unknown } | undefined => {
  const jwt = text.length <= MAX_WHOLE_BYTES ? undefined : readJwt(text);
  if (jwt === undefined) return undefined;
  const { signingInput: signed, claims } = jwt;
  const signature = text.slice(signed.length + 1);
  return signature.length < MIN_SIGNATURE_CHARS
    ? undefined
    : { signed, signature, id: claims['jti'] };
};

/** What stands around a difference goes with it, so that no form of what differs begins before it. */
const SHARED_EDGE_CHARS = 4;

/** The stretch in which two texts of one length differ, and a little around it. */
const differing = (one: string, other: string): ScrubPair | undefined => {
  if (one.length !== other.length || one === other) return undefined;
  let from = 0;
  while (one[from] === other[from]) from += 1;
  let to = one.length;
  while (one[to - 1] === other[to - 1]) to -= 1;
  const [first, last] = [Math.max(0, from - SHARED_EDGE_CHARS), to + SHARED_EDGE_CHARS];
  return { secret: one.slice(first, last), placeholder: other.slice(first, last) };
};

/**
 * Of a long JSON Web Token and the placeholder that was made like it, what only they have: the
 * signature, and the id, which some servers take for the token. Pieces of the rest stand in the
 * placeholder too, and in every other token of the same issuer. Undefined for all else.
 */
const ownPairs = ({ secret, placeholder }: ScrubPair): readonly ScrubPair[] | undefined => {
  const token = longToken(secret);
  if (token === undefined) return undefined;
  // A placeholder itself is looked for with nothing in its place.
  if (placeholder === '') return [{ secret: token.signature, placeholder }];
  const other = longToken(placeholder);
  if (other === undefined) return undefined;
  const written = differing(token.signed, other.signed);
  const ids = [token.id, other.id];
  return [
    { secret: token.signature, placeholder: other.signature },
    ...(written === undefined || written.secret.length < MIN_TOKEN_ID_CHARS ? [] : [written]),
    ...(ids.every((id) => typeof id === 'string' && id.length >= MIN_TOKEN_ID_CHARS)
      ? [{ secret: String(ids[0]), placeholder: String(ids[1]) }]
      : []),
  ];
};

const piecesOf = (bytes: Buffer): readonly Buffer[] => {
  if (bytes.length <= MAX_WHOLE_BYTES) return [bytes];
  const count = Math.floor(bytes.length / PIECE_BYTES);
  return Array.from({ length: count }, (_, index) =>
    bytes.subarray(
      index * PIECE_BYTES,
      index === count - 1 ? bytes.length : (index + 1) * PIECE_BYTES,
    ),
  );
};

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

const urlSafe = (text: string): string => text.replaceAll('+', '-').replaceAll('/', '_');

const base64Forms = (bytes: Buffer, placeholder: Buffer): readonly SecretForm[] =>
  [0, 1, 2].flatMap((shift) => {
    const find = base64Core(bytes, shift);
    // Letters and digits alone, so that it stays well-formed however the text around is escaped.
    const replace = Buffer.from(base64Core(placeholder, shift).replaceAll(/[+/]/g, 'A'));
    return Array.from(new Set([find, urlSafe(find)]), (text) => ({
      find: Buffer.from(text),
      replace,
      cycle: true,
      escapes: true,
      wraps: true,
    }));
  });

const spaced = (hex: string, separator: string): Buffer =>
  Buffer.from(separator === '' ? hex : (hex.match(/../g) ?? []).join(separator));

const hexForms = (bytes: Buffer, placeholder: Buffer): readonly SecretForm[] =>
  ['', ':', ' '].flatMap((separator) =>
    [false, true].map((upper) => {
      const hex = bytes.toString('hex');
      return {
        find: spaced(upper ? hex.toUpperCase() : hex, separator),
        replace: spaced(placeholder.toString('hex'), separator),
        cycle: separator === '',
        escapes: true,
        wraps: separator === '',
      };
    }),
  );

/** Without line breaks and the indentation behind them. */
const unwrapped = (text: string): string => text.replaceAll(/[\r\n]+[ \t]*/g, '');

const textForms = (text: string, placeholder: string): readonly SecretForm[] => {
  // What has line breaks may come with others, with none, or indented.
  const wraps = /[\r\n]/.test(text);
  const plain = wraps ? unwrapped(text) : text;
  const variants = plain.includes(' ') ? [plain, plain.replaceAll(' ', '+')] : [plain];
  return variants.flatMap((variant) =>
    piecesOf(Buffer.from(variant)).map((find, index) => ({
      find,
      replace: Buffer.from(index === 0 ? placeholder : ''),
      cycle: false,
      escapes: !ESCAPES_IN_A_ROW.test(find.toString('latin1')),
      wraps,
    })),
  );
};

const wideForms = (text: string, placeholder: string): readonly SecretForm[] =>
  [false, true].flatMap((bigEndian) => {
    const wide = (value: string): Buffer => {
      const bytes = Buffer.from(value, 'utf16le');
      return bigEndian ? bytes.swap16() : bytes;
    };
    return piecesOf(wide(text)).map((find, index) => ({
      find,
      replace: index === 0 ? wide(placeholder) : Buffer.alloc(0),
      cycle: false,
      escapes: false,
      wraps: false,
    }));
  });

const wholeFormsOf = ({ secret, placeholder }: ScrubPair): readonly SecretForm[] => {
  const body = bodyOf(secret);
  if (Buffer.byteLength(unwrapped(body)) < MIN_SOUGHT_BYTES) return [];
  const escaped = JSON.stringify(body).slice(1, -1);
  const replace = Buffer.from(placeholder);
  // Files are often sent in base64 as a whole, and a key in a JSON file has its line breaks escaped.
  const encoded = Array.from(new Set([body, escaped]), (variant) => Buffer.from(variant))
    .flatMap(piecesOf)
    .flatMap((piece) => [...base64Forms(piece, replace), ...hexForms(piece, replace)])
    .filter(({ find }) => find.length >= MIN_ENCODED_CHARS);
  return [...textForms(body, placeholder), ...encoded, ...wideForms(body, placeholder)];
};

/**
 * All ways in which a secret is looked for: as it is, in base64 of both alphabets at each alignment,
 * in hexadecimal, in UTF-16. Escapes and line breaks are the search's to see through.
 */
export const formsOf = (pair: ScrubPair): readonly SecretForm[] =>
  ownPairs(pair)?.flatMap(wholeFormsOf) ?? wholeFormsOf(pair);

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';

/** The characters of base32 text (RFC 4648 6) that the bytes alone decide, `shift` bytes into a group of five. */
const base32Core = (bytes: Buffer, shift: number): string => {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of Buffer.concat([Buffer.alloc(shift), bytes])) {
    held = (held << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(held >> bits) & 31] ?? '';
    }
    held &= (1 << bits) - 1;
  }
  return text.slice(Math.ceil((shift * 8) / 5));
};

/**
 * The ways in which a secret is looked for in a queried name, of which case and dots do not count:
 * by itself, in base64, base32 and hexadecimal. The name is searched in lower case.
 */
export const nameFormsOf = (secret: string): readonly SecretForm[] => {
  const bytes = Buffer.from(secret);
  if (bytes.length > MAX_NAME_SECRET_BYTES) return [];
  const texts = [
    secret.replaceAll('.', ''),
    bytes.toString('hex'),
    ...[0, 1, 2].map((shift) => urlSafe(base64Core(bytes, shift))),
    ...[0, 1, 2, 3, 4].map((shift) => base32Core(bytes, shift)),
  ].map((text) => text.toLowerCase());
  return Array.from(new Set(texts))
    .filter((text) => text.length >= MIN_NAME_CHARS)
    .map((text) => ({
      find: Buffer.from(text),
      replace: Buffer.alloc(0),
      cycle: true,
      escapes: false,
      wraps: false,
    }));
};

const BREAK = /(?:\r\n?|\n|\\r|\\n|%0[ad])[ \t]*/gi;

/** The filler for a form as it was spelt: as long as the form, broken into lines where that was. */
const fillerFor = (form: SecretForm, spelt: Buffer): Buffer => {
  const { find, replace } = form;
  const filler = Buffer.alloc(find.length, replace.length === 0 ? 'x' : replace);
  if (spelt.length === find.length) return filler;
  const text = spelt.toString('latin1');
  const parts: Buffer[] = [];
  let given = 0;
  let at = 0;
  for (const { 0: found, index } of text.matchAll(BREAK)) {
    const count = Math.min(index - at, filler.length - given);
    parts.push(filler.subarray(given, given + count), spelt.subarray(index, index + found.length));
    given += count;
    at = index + found.length;
  }
  return Buffer.concat([...parts, filler.subarray(given)]);
};

/** Made once for each pair: a set of needles is prepared anew with each token that is minted. */
const rememberedForms = remember(formsOf);

export const needlesOf = (pair: ScrubPair, owner: number): readonly Needle[] =>
  rememberedForms(pair).map((form) => ({
    find: form.find,
    replace: form.cycle ? (spelt) => fillerFor(form, spelt) : () => form.replace,
    owner,
    escapes: form.escapes,
    wraps: form.wraps,
  }));
