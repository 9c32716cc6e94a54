import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  METHODS,
  STREAMS,
  CODES,
  HostPath,
  ProjectPath,
  SessionId,
  StartRequest,
} from './index.ts';

type JsonSchema = { readonly [key: string]: unknown };

/** Every JSON Schema below a schema that has a type. */
const walk = (schema: unknown, visit: (schema: JsonSchema) => void): void => {
  if (typeof schema !== 'object' || schema === null) return;
  if (Array.isArray(schema)) {
    for (const part of schema) walk(part, visit);
    return;
  }
  const found = schema as JsonSchema;
  if (typeof found['type'] === 'string') visit(found);
  for (const part of Object.values(found)) walk(part, visit);
};

/** What a schema should say and does not. */
const missingLimit = (schema: JsonSchema): string | undefined => {
  const literal = schema['enum'] !== undefined || schema['const'] !== undefined;
  if (schema['type'] === 'object' && schema['additionalProperties'] !== false) return 'open object';
  if (schema['type'] === 'string' && !literal && schema['maxLength'] === undefined)
    return 'endless string';
  if (schema['type'] === 'array' && schema['maxItems'] === undefined) return 'endless list';
  if (schema['type'] === 'integer' && schema['minimum'] === undefined)
    return 'integer with no minimum';
  return undefined;
};

const inputs = [...Object.entries(METHODS), ...Object.entries(STREAMS)].map(
  ([name, entry]) => [name, entry.input as z.core.$ZodType] as const,
);

describe('contract', () => {
  it.each(inputs)(
    '%s takes strict objects with a limit on every string and list',
    (_name, input) => {
      const open: string[] = [];
      walk(z.toJSONSchema(input, { io: 'input' }), (schema) => {
        const missing = missingLimit(schema);
        if (missing !== undefined) open.push(missing);
      });
      expect(open).toEqual([]);
    },
  );

  it('refuses paths that leave where they belong', () => {
    expect(HostPath.safeParse('relative').success).toBe(false);
    expect(HostPath.safeParse('/a\0b').success).toBe(false);
    expect(ProjectPath.safeParse('/etc/passwd').success).toBe(false);
    expect(ProjectPath.safeParse('a/../../b').success).toBe(false);
    expect(ProjectPath.safeParse('a/..b/c').success).toBe(true);
  });

  it('mints session ids only from what looks like one', () => {
    expect(SessionId.safeParse('../../../etc').success).toBe(false);
    expect(SessionId.safeParse('0123456789ab').success).toBe(true);
  });

  it('refuses unknown keys in a start request', () => {
    expect(StartRequest.safeParse({ surprise: true }).success).toBe(false);
  });

  it('has a full sentence for every code', () => {
    for (const [code, words] of Object.entries(CODES)) {
      expect(code).toMatch(/^[a-z]+(\.[a-z-]+)?$|^not-yet$/);
      expect(words).toMatch(/^[A-Z].*\.$/);
    }
  });
});
