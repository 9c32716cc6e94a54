import { lowerName } from '../field-name.ts';
import type { HeaderPairs } from '../request.ts';
import { readFields, tooManyFields } from './field.ts';

/** Header fields that name another method than the request does (in use since Google's APIs, in no RFC). */
export const METHOD_OVERRIDE_HEADERS: ReadonlySet<string> = new Set([
  'x-http-method-override',
  'x-http-method',
  'x-method-override',
]);
/** Fields of a query or form that do the same (Rails, Symfony, Laravel; Salesforce; Google's APIs). */
export const METHOD_OVERRIDE_FIELDS: ReadonlySet<string> = new Set([
  '_method',
  '_httpmethod',
  '$httpmethod',
]);
/** The field that brings whole header fields along, one that names a method perhaps (Google's APIs). */
const HEADERS_FIELD = '$httpheaders';

/** Stands for a method that cannot be told; no scope holds it. */
export const UNKNOWN_METHOD = '?';

/** A field's name as servers file it: Rack drops brackets, PHP stops at a NUL and writes `_` for dots and blanks. */
const filedName = (name: string): string => {
  const [whole = ''] = name.split('\0');
  return whole.replaceAll(/[[\]]/g, '').trim().replaceAll(/[.\s]/g, '_').toLowerCase();
};

/** The methods that a query or an urlencoded form names beside the request's own, upper case. */
export const methodsInFields = (text: string): readonly string[] => {
  // Some servers separate fields by semicolons too (Rack before 3).
  const fields = text.replaceAll(';', '&');
  if (tooManyFields(fields)) return [UNKNOWN_METHOD];
  return readFields(fields).flatMap(([name, value]) => {
    const filed = filedName(name);
    if (filed === HEADERS_FIELD) return [UNKNOWN_METHOD];
    return METHOD_OVERRIDE_FIELDS.has(filed) ? [value.trim().toUpperCase()] : [];
  });
};

/** A header field's name as programs behind a gateway interface know it: there `_` cannot be told from `-` (RFC 3875 4.1.18). */
export const gatewayName = (name: string): string => lowerName(name).replaceAll('_', '-');

/** Every method that a server might take a request's head to mean, its own first, upper case. */
export const methodsOf = (
  method: string,
  target: string,
  headers: HeaderPairs,
): readonly string[] => {
  const mark = target.indexOf('?');
  const overriding = headers.filter(([name]) => METHOD_OVERRIDE_HEADERS.has(gatewayName(name)));
  if (mark < 0 && overriding.length === 0) return [method.toUpperCase()];
  return [
    method.toUpperCase(),
    ...overriding.flatMap(([, value]) => value.split(',').map((part) => part.trim().toUpperCase())),
    ...(mark < 0 ? [] : methodsInFields(target.slice(mark + 1))),
  ];
};
