/** How a value may be spelt on the wire: what a server or a program could make of it, and be read back. */

const everyByte = (text: string, spell: (code: string) => string): string =>
  Array.from(Buffer.from(text), (byte) => spell(byte.toString(16).padStart(2, '0'))).join('');
const inLines = (text: string, width: number, lineBreak: string): string =>
  (text.match(new RegExp(`.{1,${String(width)}}`, 'gs')) ?? []).join(lineBreak);
const base64 = (text: string): string => Buffer.from(text).toString('base64');

export const SPELLINGS = {
  plain: (value) => value,
  base64,
  'base64 shifted by one': (value) => base64(`a${value}b`),
  'base64 shifted by two': (value) => base64(`ab${value}`),
  base64url: (value) => Buffer.from(`c${value}`).toString('base64url'),
  'base64 in lines of 76': (value) => inLines(base64(`some words, ${value.repeat(2)}`), 76, '\r\n'),
  'base64 in short lines': (value) => inLines(base64(value), 9, '\n'),
  percent: encodeURIComponent,
  'percent of every byte': (value) => everyByte(value, (code) => `%${code.toUpperCase()}`),
  'percent twice': (value) => encodeURIComponent(encodeURIComponent(value)),
  form: (value) => new URLSearchParams({ v: value }).toString().slice(2),
  JSON: (value) => JSON.stringify(value).slice(1, -1),
  'JSON \\u': (value) => everyByte(value, (code) => String.raw`\u00${code}`),
  'JSON in JSON': (value) => JSON.stringify(JSON.stringify(value)),
  hexadecimal: (value) => Buffer.from(value).toString('hex'),
  'hexadecimal in capitals': (value) => Buffer.from(value).toString('hex').toUpperCase(),
  'HTML entities': (value) => everyByte(value, (code) => `&#x${code};`),
  'decimal HTML entities': (value) =>
    everyByte(value, (code) => `&#${String(Number.parseInt(code, 16))};`),
  '\\x': (value) => everyByte(value, (code) => String.raw`\x${code}`),
  'UTF-16': (value) => Buffer.from(value, 'utf16le').toString('latin1'),
} satisfies Record<string, (value: string) => string>;

export type Spelling = keyof typeof SPELLINGS;

export const ALL_SPELLINGS = Object.keys(SPELLINGS) as Spelling[];
/** Those that can stand in a header value, a trailer or a query: no line breaks, no control characters. */
export const LINE_SPELLINGS = ALL_SPELLINGS.filter(
  (name) => !name.includes('in lines') && !name.includes('short lines') && name !== 'UTF-16',
);
/** Those that can stand in a path or query as they are. */
export const TARGET_SPELLINGS: readonly Spelling[] = [
  'percent',
  'percent of every byte',
  'percent twice',
  'base64url',
  'hexadecimal',
  'hexadecimal in capitals',
];
