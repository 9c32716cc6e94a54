import { percentDecode, percentEncode } from './percent.ts';
import type { Swap, Swapped } from './swap.ts';

/** Most fields of one query or form. */
export const MAX_FIELDS = 4096;

const decode = (text: string): string => percentDecode(text.replaceAll('+', ' '));

/** Whether a text has more fields than are read: what it then says is not known. */
export const tooManyFields = (text: string): boolean => {
  let count = 1;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1)) {
    count += 1;
    if (count > MAX_FIELDS) return true;
  }
  return false;
};

/** Names and values of `application/x-www-form-urlencoded` text, as servers read them. */
export const readFields = (text: string): readonly (readonly [name: string, value: string])[] =>
  text.split('&').map((field) => {
    const equals = field.indexOf('=');
    return equals < 0
      ? [decode(field), '']
      : [decode(field.slice(0, equals)), decode(field.slice(equals + 1))];
  });

/**
 * Puts the real value into the one field of that name whose whole value is the placeholder. Undefined
 * where there is none, or where the name occurs twice in whatever case: servers differ in which of
 * two they take. All other fields stay byte for byte.
 */
export const swapField = (
  text: string,
  name: string,
  { placeholder, secret }: Swap,
): Swapped | undefined => {
  if (tooManyFields(text)) return undefined;
  const fields = text.split('&');
  const wanted = name.toLowerCase();
  const read = readFields(text);
  const at = read.findIndex(([found]) => found.toLowerCase() === wanted);
  const [found, value] = read[at] ?? [];
  if (found !== name || value !== placeholder) return undefined;
  if (read.some(([other], index) => index !== at && other.toLowerCase() === wanted)) {
    return undefined;
  }
  const raw = fields[at] ?? '';
  const head = raw.slice(0, raw.indexOf('=') + 1);
  const put = (filling: string): string =>
    fields.map((field, index) => (index === at ? `${head}${filling}` : field)).join('&');
  return { text: put(percentEncode(secret, '-._~')), rest: put('') };
};
