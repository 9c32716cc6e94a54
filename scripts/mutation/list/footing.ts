import { inFile, type Mutation } from '../mutation.ts';

const PROCESS = 'app/broker/process';
const LEAF_TEST = `${PROCESS}/leaf-certificate.test.ts`;
const SCHEMA_TEST = 'app/kit/schema.test.ts';
const ORDERS_TEST = 'app/broker/orders.test.ts';

/** What the broker process stands on: how it reads what it is told, and the certificates that it writes. */
export const FOOTING_MUTATIONS: readonly Mutation[] = [
  ...inFile('app/kit/schema.ts', [
    [
      'schema-unknown-field',
      'an object with a field too many is refused',
      'if (Object.keys(value).some((name) => !Object.hasOwn(fields, name)))',
      'if (Object.keys(value).length > 1000)',
      SCHEMA_TEST,
    ],
    [
      'schema-inherited-field',
      'an inherited field is none',
      'const present = Object.hasOwn(value, name);',
      'const present = Reflect.has(value, name);',
      SCHEMA_TEST,
    ],
    [
      'schema-inherited-type',
      'a type that every object has is none',
      "if (typeof type !== 'string' || !Object.hasOwn(variants, type))",
      "if (typeof type !== 'string' || !Reflect.has(variants, type))",
      SCHEMA_TEST,
    ],
    [
      'schema-length',
      'a longer text is refused',
      'value.length < min || value.length > max)',
      'value.length < min)',
      SCHEMA_TEST,
    ],
    [
      'schema-list-length',
      'a longer list is refused',
      'value.length >= min && value.length <= max',
      'value.length >= min',
      SCHEMA_TEST,
    ],
  ]),
  ...inFile('app/kit/json-object.ts', [
    [
      'json-prototype',
      'a field that would be the prototype is left out',
      "name !== '__proto__'",
      "name !== 'none'",
      'app/kit/json-object.test.ts',
    ],
  ]),
  ...inFile('app/broker/orders.ts', [
    [
      'orders-canonical-host',
      'a rule’s host is canonical',
      'return host.ok && host.value === text ? host.value : undefined;',
      'return host.ok ? host.value : undefined;',
      ORDERS_TEST,
    ],
    [
      'orders-answer',
      'an answer is one of those there are',
      'answer: choiceSchema(APPROVAL_ANSWERS),',
      'answer: textSchema({ max: 32 }) as never,',
      ORDERS_TEST,
    ],
  ]),
  ...inFile(`${PROCESS}/leaf-certificate.ts`, [
    [
      'leaf-no-authority',
      'a leaf is no authority',
      "extension('2.5.29.19', sequence(), true)",
      "extension('2.5.29.19', sequence(TRUE), true)",
      LEAF_TEST,
    ],
    [
      'leaf-critical',
      'who cannot read a leaf’s constraints does not take it',
      'sequence(oid(dotted), ...(critical ? [TRUE] : []), der(TAG.octetString, value));',
      'sequence(oid(dotted), ...(critical ? [] : []), der(TAG.octetString, value));',
      LEAF_TEST,
    ],
    [
      'leaf-days',
      'a leaf is valid for days',
      'time(new Date(now + LEAF_DAYS * DAY_MS))',
      'time(new Date(now + 100 * LEAF_DAYS * DAY_MS))',
      LEAF_TEST,
    ],
  ]),
  ...inFile(`${PROCESS}/der.ts`, [
    [
      'der-bounds',
      'a value ends within what is there',
      'return end > bytes.length',
      'return end > bytes.length + 8',
      `${PROCESS}/der.test.ts`,
    ],
  ]),
  ...inFile(`${PROCESS}/wires/server-end-point.ts`, [
    [
      'end-point-broken-hash',
      'a login is not tied to a certificate by a broken hash',
      "const chosen = own === 'md5' || own === SHA_1 ? 'sha256' : own;",
      'const chosen = own;',
      `${PROCESS}/wires/server-end-point.test.ts`,
    ],
  ]),
];
