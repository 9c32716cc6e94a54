/** The fields of a JSON object, none of them read yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/**
 * Reads a text that is one JSON object; undefined where it is anything else, with no word of why: the
 * parser's could repeat a part of a secret. A field called `__proto__` is left out.
 */
export const parseJsonObject = (text: string): JsonObject | undefined => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== '__proto__'));
};
