/**
 * How text may be spelt when it stands inside other text: percent-encoding (RFC 3986 2.1), the
 * escapes of JSON and of programming languages (RFC 8259 7), and character references of HTML.
 * Each may stand inside another, such as a JSON string in a query.
 */

/** How many layers of escapes are peeled off. */
export const MAX_LAYERS = 3;
/** Most digits of one numeric character reference, leading zeros included. */
export const MAX_REFERENCE_DIGITS = 8;
/** Longest name of a character reference that is known. */
const MAX_NAME_CHARS = 8;

/** The data ends before the character does. */
export const PARTIAL = -1;
/** There is nothing left to read. */
const NONE = -2;

const PERCENT = 0x25;
const AMPERSAND = 0x26;
const BACKSLASH = 0x5c;
const HASH = 0x23;
const SEMICOLON = 0x3b;

/** The bytes that an escape may begin with. */
export const ESCAPES: readonly number[] = [PERCENT, AMPERSAND, BACKSLASH];

export const isEscape = (byte: number): boolean =>
  byte === PERCENT || byte === AMPERSAND || byte === BACKSLASH;

/** Code points are told from bytes by this offset, for a byte above 0x7f is only part of a character. */
const CODE_POINTS = 0x100;
const PLACE = 2 ** 32;

/**
 * What was read, in one number so that reading makes no objects: a byte or a code point, and where
 * it ends; or `PARTIAL` or `NONE`, which are less than zero.
 */
export type Reading = number;

const reading = (value: number, end: number): Reading => value * PLACE + end;
// The remainder of numbers this large is slow to come by.
export const endOf = (read: Reading): number => read - Math.floor(read / PLACE) * PLACE;
/** 0 to 255 for a byte, otherwise a code point of 0x80 and above, moved up by 256. */
export const valueOf = (read: Reading): number => Math.floor(read / PLACE);

/** The bytes that a value stands for. */
export const bytesOf = (value: number): Buffer =>
  value < CODE_POINTS
    ? Buffer.from([value])
    : Buffer.from(String.fromCodePoint(value - CODE_POINTS), 'utf8');

const characterReading = (codePoint: number, end: number): Reading =>
  reading(codePoint < 0x80 ? codePoint : codePoint + CODE_POINTS, end);

/** What the letter behind a backslash stands for, by its byte; -1 where that is nothing. */
const SHORT = new Int16Array(256).fill(-1);
for (const [letter, value] of Object.entries({
  n: 10,
  r: 13,
  t: 9,
  b: 8,
  f: 12,
  v: 11,
  '/': 0x2f,
  '\\': 0x5c,
  '"': 0x22,
  "'": 0x27,
}))
  SHORT[letter.charCodeAt(0)] = value;

const NAMES: ReadonlyMap<string, number> = new Map(
  Object.entries({
    amp: '&',
    AMP: '&',
    lt: '<',
    LT: '<',
    gt: '>',
    GT: '>',
    quot: '"',
    QUOT: '"',
    apos: "'",
    Tab: '\t',
    NewLine: '\n',
    excl: '!',
    num: '#',
    dollar: '$',
    percnt: '%',
    lpar: '(',
    rpar: ')',
    ast: '*',
    plus: '+',
    comma: ',',
    period: '.',
    sol: '/',
    colon: ':',
    semi: ';',
    equals: '=',
    quest: '?',
    commat: '@',
    lsqb: '[',
    lbrack: '[',
    bsol: '\\',
    rsqb: ']',
    rbrack: ']',
    Hat: '^',
    lowbar: '_',
    grave: '`',
    lcub: '{',
    lbrace: '{',
    verbar: '|',
    vert: '|',
    rcub: '}',
    rbrace: '}',
  }).map(([name, character]) => [name, character.charCodeAt(0)]),
);

/** The value of a hexadecimal digit, -1 for anything else. */
const hexDigit = (value: number): number => {
  if (value >= 0x30 && value <= 0x39) return value - 0x30;
  const lower = value | 0x20;
  return lower >= 0x61 && lower <= 0x66 && value < 0x80 ? lower - 0x57 : -1;
};

/** `count` hexadecimal digits: their number and end, `PARTIAL`, or `NONE` where there are fewer. */
const readHex = (
  data: Buffer,
  at: number,
  count: number,
  layers: number,
  last: boolean,
): Reading => {
  let number = 0;
  let end = at;
  for (let index = 0; index < count; index += 1) {
    const read = readCharacter(data, end, layers, last);
    if (read < 0) return read;
    const digit = hexDigit(valueOf(read));
    if (digit < 0) return NONE;
    number = number * 16 + digit;
    end = endOf(read);
  }
  return reading(number, end);
};

const readUnicode = (data: Buffer, at: number, layers: number, last: boolean): Reading => {
  const high = readHex(data, at, 4, layers, last);
  if (high < 0) return high;
  const unit = valueOf(high);
  if (unit < 0xd800 || unit > 0xdbff) return characterReading(unit, endOf(high));
  // The second half of a pair; alone, the first stands for nothing that is looked for.
  let end = endOf(high);
  for (const wanted of [BACKSLASH, 0x75]) {
    const read = readCharacter(data, end, layers, last);
    if (read === PARTIAL) return PARTIAL;
    if (read < 0 || valueOf(read) !== wanted) return characterReading(unit, endOf(high));
    end = endOf(read);
  }
  const low = readHex(data, end, 4, layers, last);
  if (low === PARTIAL) return PARTIAL;
  if (low < 0 || valueOf(low) < 0xdc00 || valueOf(low) > 0xdfff)
    return characterReading(unit, endOf(high));
  return characterReading(0x10000 + ((unit - 0xd800) << 10) + (valueOf(low) - 0xdc00), endOf(low));
};

const readBackslash = (data: Buffer, at: number, layers: number, last: boolean): Reading => {
  const kind = readCharacter(data, at, layers, last);
  if (kind < 0) return kind;
  const letter = valueOf(kind);
  if (letter === 0x75) return readUnicode(data, endOf(kind), layers, last);
  if (letter === 0x78) return readHex(data, endOf(kind), 2, layers, last);
  const short = SHORT[letter] ?? -1;
  return short < 0 ? NONE : reading(short, endOf(kind));
};

const readNumeric = (data: Buffer, at: number, layers: number, last: boolean): Reading => {
  let read = readCharacter(data, at, layers, last);
  if (read < 0) return read;
  const hex = (valueOf(read) | 0x20) === 0x78;
  if (hex) read = readCharacter(data, endOf(read), layers, last);
  let number = 0;
  for (let digits = 0; digits <= MAX_REFERENCE_DIGITS; digits += 1) {
    if (read < 0) return read;
    if (valueOf(read) === SEMICOLON)
      return digits === 0 || number > 0x10ffff ? NONE : characterReading(number, endOf(read));
    const digit = hexDigit(valueOf(read));
    if (digit < 0 || (!hex && digit > 9)) return NONE;
    number = number * (hex ? 16 : 10) + digit;
    read = readCharacter(data, endOf(read), layers, last);
  }
  return NONE;
};

const readReference = (data: Buffer, at: number, layers: number, last: boolean): Reading => {
  let read = readCharacter(data, at, layers, last);
  if (read < 0) return read;
  if (valueOf(read) === HASH) return readNumeric(data, endOf(read), layers, last);
  let name = '';
  while (name.length <= MAX_NAME_CHARS) {
    if (read < 0) return read;
    const value = valueOf(read);
    if (value === SEMICOLON) {
      const character = NAMES.get(name);
      return character === undefined ? NONE : reading(character, endOf(read));
    }
    const lower = value | 0x20;
    if (lower < 0x61 || lower > 0x7a || value > 0x7a) return NONE;
    name += String.fromCharCode(value);
    read = readCharacter(data, endOf(read), layers, last);
  }
  return NONE;
};

/**
 * Reads the character at `at` with that many layers of escapes taken off. What is no escape stands
 * for itself. `PARTIAL` where more data may change what it is; never, when `last` is set.
 */
export const readCharacter = (data: Buffer, at: number, layers: number, last: boolean): Reading => {
  const byte = data[at];
  if (byte === undefined) return last ? NONE : PARTIAL;
  if (layers === 0 || !isEscape(byte)) return reading(byte, at + 1);
  const first = readCharacter(data, at, layers - 1, last);
  if (first < 0) return first;
  const value = valueOf(first);
  if (!isEscape(value)) return first;
  const end = endOf(first);
  const escape =
    value === PERCENT
      ? readHex(data, end, 2, layers - 1, last)
      : value === BACKSLASH
        ? readBackslash(data, end, layers - 1, last)
        : readReference(data, end, layers - 1, last);
  return escape === NONE ? first : escape;
};

/** It takes a closer look to tell what stands there. */
export const UNSURE = -2;
/** A character beyond ASCII stands there, or one half of one. */
export const WIDE = -3;
/** No escape stands there. */
export const NO_ESCAPE = -1;

const glanceHex = (data: Buffer, at: number, count: number): number => {
  let number = 0;
  for (let index = at; index < at + count; index += 1) {
    const byte = data[index];
    if (byte === undefined || isEscape(byte)) return UNSURE;
    const digit = hexDigit(byte);
    if (digit < 0) return NO_ESCAPE;
    number = number * 16 + digit;
  }
  return number;
};

const isWord = (data: Buffer, at: number, word: readonly number[]): boolean => {
  for (let index = 0; index < word.length; index += 1)
    if (data[at + index] !== word[index]) return false;
  return true;
};

/** Whether what stands behind an ampersand may be a reference, if perhaps in another layer. */
const goesOn = (data: Buffer, from: number): boolean => {
  for (let at = from; at <= from + MAX_NAME_CHARS; at += 1) {
    const byte = data[at];
    if (byte === undefined || byte === HASH || byte === SEMICOLON || isEscape(byte)) return true;
    if ((byte | 0x20) < 0x61 || (byte | 0x20) > 0x7a) return false;
  }
  return false;
};

/** The references that texts are full of, by the byte behind the ampersand. */
const COMMON: readonly (
  | readonly { readonly word: readonly number[]; readonly value: number }[]
  | undefined
)[] = Array.from({ length: 256 }, (_, first) => {
  const words = Object.entries({ 'lt;': '<', 'gt;': '>', 'quot;': '"', '#39;': "'", '#34;': '"' })
    .filter(([word]) => word.charCodeAt(0) === first)
    .map(([word, character]) => ({
      word: Array.from(Buffer.from(word)),
      value: character.charCodeAt(0),
    }));
  return words.length === 0 ? undefined : words;
});
const AMP: readonly number[] = Array.from(Buffer.from('amp;'));

/**
 * What the usual escapes stand for, in however many layers, told at a glance because texts are full
 * of them: a byte, `UNSURE`, `WIDE`, or less than zero where no escape stands there.
 */
export const glance = (data: Buffer, at: number): number => {
  const next = data[at + 1];
  if (next === undefined || isEscape(next)) return UNSURE;
  const byte = data[at];
  if (byte === AMPERSAND) {
    for (const { word, value } of COMMON[next] ?? []) if (isWord(data, at + 1, word)) return value;
    if (isWord(data, at + 1, AMP)) return goesOn(data, at + 5) ? UNSURE : AMPERSAND;
    return goesOn(data, at + 1) ? UNSURE : NO_ESCAPE;
  }
  if (byte === BACKSLASH && next !== 0x75 && next !== 0x78) return SHORT[next] ?? NO_ESCAPE;
  const number =
    byte === PERCENT ? glanceHex(data, at + 1, 2) : glanceHex(data, at + 2, next === 0x75 ? 4 : 2);
  if (number > 0x7f && byte === BACKSLASH && next === 0x75) return WIDE;
  // Another layer may go on from an escape.
  return isEscape(number) ? UNSURE : number;
};

/** Where an escape ends that was told at a glance. */
export const endOfGlanced = (data: Buffer, at: number): number => {
  const byte = data[at];
  if (byte === PERCENT) return at + 3;
  if (byte === BACKSLASH) return at + (data[at + 1] === 0x75 ? 6 : data[at + 1] === 0x78 ? 4 : 2);
  let end = at + 1;
  while (end < data.length && data[end] !== SEMICOLON) end += 1;
  return end + 1;
};
