import { lowerName } from '../field-name.ts';
import type { HeaderPairs } from '../request.ts';
import { readFields, tooManyFields } from './field.ts';

/** Header fields that name another method than the request does (in use since Google's APIs, in no RFC). */
export const METHOD_OVERRIDE_HEADERS: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);
/** The field of a query or form that does the same (Rails, Symfony, Laravel). */
export const METHOD_OVERRIDE_FIELD = '_method';

/** Stands for a method that cannot be told; no scope holds it. */
export const UNKNOWN_METHOD = '?';

/** The methods that a query or an urlencoded form names beside the request's own, upper case. */
export const methodsInFields = (text: string): readonly string[] =>
  tooManyFields(text)
    ? [UNKNOWN_METHOD]
    : readFields(text)
        .filter(([name]) => name.trim().toLowerCase() === METHOD_OVERRIDE_FIELD)
        .map(([, value]) => value.trim().toUpperCase());

/** Every method that a server might take a request's head to mean, its own first, upper case. */
export const methodsOf = (
  method: string,
  target: string,
  headers: HeaderPairs,
): readonly string[] => {
  const mark = target.indexOf('?');
  const overriding = headers.filter(([name]) => METHOD_OVERRIDE_HEADERS.has(lowerName(name)));
  if (mark < 0 && overriding.length === 0) return [method.toUpperCase()];
  return [
    method.toUpperCase(),
    ...overriding.flatMap(([, value]) => value.split(',').map((part) => part.trim().toUpperCase())),
    ...(mark < 0 ? [] : methodsInFields(target.slice(mark + 1))),
  ];
};
