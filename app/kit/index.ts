export { assertNever } from './assert-never.ts';
export type { Brand } from './brand.ts';
export { createManualClock, isoTime, sleep, systemClock } from './clock.ts';
export type { Clock, ManualClock } from './clock.ts';
export { createEmitter } from './emitter.ts';
export type { Emitter } from './emitter.ts';
export { randomId } from './ids.ts';
export { parseJsonObject } from './json-object.ts';
export type { JsonObject } from './json-object.ts';
export { err, fail, failure, FailureError, ok, unwrap } from './result.ts';
export type { Err, Failure, Ok, Result } from './result.ts';
export {
  choiceSchema,
  flagSchema,
  integerSchema,
  listSchema,
  looseObjectSchema,
  numberSchema,
  objectSchema,
  optionalSchema,
  parsedSchema,
  readWith,
  SchemaError,
  textSchema,
  variantSchema,
} from './schema.ts';
export type { Schema } from './schema.ts';
export { createScope } from './scope.ts';
export type { Closable, Scope } from './scope.ts';
export { Secret } from './secret.ts';
export { singleFlight } from './single-flight.ts';
