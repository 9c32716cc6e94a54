/**
 * Reads a value of unknown form as a `T`, or throws a `SchemaError`. For what a broker process reads:
 * a schema library with its code for every language and format would be a sixth of its memory.
 */
export type Schema<T> = (value: unknown) => T;

/** One schema for each field of an object. */
export type FieldSchemas<T> = { readonly [K in keyof T]-?: Schema<T[K]> };

/** A value is not of its form. Says where and what is expected there, never what was found: that may be a secret. */
export class SchemaError extends Error {
  readonly place: string;
  readonly expected: string;
  constructor(place: string, expected: string) {
    super(`${place === '' ? 'it' : place} is not ${expected}`);
    this.name = 'SchemaError';
    this.place = place;
    this.expected = expected;
  }
}

const refuse = (expected: string): never => {
  throw new SchemaError('', expected);
};

const readAt = <T>(place: string, schema: Schema<T>, value: unknown): T => {
  try {
    return schema(value);
  } catch (failed) {
    if (!(failed instanceof SchemaError)) throw failed;
    throw new SchemaError(`${place}${failed.place}`, failed.expected);
  }
};

/** A text with so many UTF-16 units. */
export const textSchema =
  ({
    min = 0,
    max,
    pattern,
  }: {
    readonly min?: number;
    readonly max: number;
    readonly pattern?: RegExp;
  }): Schema<string> =>
  (value) => {
    if (typeof value !== 'string' || value.length < min || value.length > max)
      return refuse(`a text of ${min} to ${max} characters`);
    return pattern === undefined || pattern.test(value)
      ? value
      : refuse('a text of the form that is needed');
  };

/** A whole number within these bounds, which are part of it. */
export const integerSchema =
  (min: number, max: number): Schema<number> =>
  (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : refuse(`a whole number from ${min} to ${max}`);

export const numberSchema: Schema<number> = (value) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse('a number');

export const flagSchema: Schema<boolean> = (value) =>
  typeof value === 'boolean' ? value : refuse('true or false');

/** One of these values. */
export const choiceSchema =
  <const T extends string | number>(choices: readonly T[]): Schema<T> =>
  (value) =>
    choices.find((choice) => choice === value) ?? refuse(`one of ${choices.join(', ')}`);

/** A list with so many items. */
export const listSchema =
  <T>(
    item: Schema<T>,
    { min = 0, max }: { readonly min?: number; readonly max: number },
  ): Schema<T[]> =>
  (value) =>
    Array.isArray(value) && value.length >= min && value.length <= max
      ? Array.from(value, (each, index) => readAt(`[${index}]`, item, each))
      : refuse(`a list of ${min} to ${max} items`);

/** The same, or nothing. */
export const optionalSchema =
  <T>(schema: Schema<T>): Schema<T | undefined> =>
  (value) =>
    value === undefined ? undefined : schema(value);

/** What a further reader makes of a value, undefined where it cannot be read. */
export const parsedSchema =
  <T, P>(schema: Schema<T>, expected: string, parse: (value: T) => P | undefined): Schema<P> =>
  (value) =>
    parse(schema(value)) ?? refuse(expected);

const objectIn = (value: unknown): object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? value
    : refuse('an object');

const readFields = (value: object, fields: Readonly<Record<string, Schema<unknown>>>): object => {
  if (Object.keys(value).some((name) => !Object.hasOwn(fields, name)))
    return refuse('an object of these fields and no others');
  const read: [string, unknown][] = [];
  for (const [name, schema] of Object.entries(fields)) {
    const present = Object.hasOwn(value, name);
    const field = readAt(`.${name}`, schema, present ? Reflect.get(value, name) : undefined);
    if (present) read.push([name, field]);
  }
  return Object.fromEntries(read);
};

/** An object with these fields and no others; one may be absent where its schema takes undefined. */
export const objectSchema =
  <T extends object>(fields: FieldSchemas<T>): Schema<T> =>
  (value) =>
    readFields(objectIn(value), fields) as T;

/** The same of an object that may have others, which are left out. */
export const looseObjectSchema =
  <T extends object>(fields: FieldSchemas<T>): Schema<T> =>
  (value) => {
    const known = Object.entries(objectIn(value)).filter(([name]) => Object.hasOwn(fields, name));
    return readFields(Object.fromEntries(known), fields) as T;
  };

/** Objects told apart by their `type`: the other fields of each, and no others. */
export const variantSchema =
  <T extends { readonly type: string }>(variants: {
    readonly [K in T['type']]: FieldSchemas<Omit<Extract<T, { readonly type: K }>, 'type'>>;
  }): Schema<T> =>
  (value) => {
    const { type, ...rest } = objectIn(value) as { readonly type?: unknown };
    if (typeof type !== 'string' || !Object.hasOwn(variants, type))
      return refuse('an object of a known type');
    return { type, ...readFields(rest, variants[type as T['type']]) } as T;
  };

/** The value as the schema reads it; undefined where it is not of that form. */
export const readWith = <T>(schema: Schema<T>, value: unknown): T | undefined => {
  try {
    return schema(value);
  } catch (failed) {
    if (failed instanceof SchemaError) return undefined;
    throw failed;
  }
};
