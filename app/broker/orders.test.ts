import { inspect } from 'node:util';
import { anything, assert, property } from 'fast-check';
import { expect, describe, it } from 'vitest';
import type { CredentialSummary } from '../contract/index.ts';
import { SchemaError, unwrap } from '../kit/index.ts';
import { buildGrant, buildNetworkPolicy, KIND_LIST } from '../policy/index.ts';
import { buildWatchSet } from './fingerprint.ts';
import { readOrder, type SentSpec, type SentToProcess } from './orders.ts';

const SECRET = 'sk-real-value-that-nobody-may-see';

const policy = unwrap(
  buildNetworkPolicy(
    {
      default: 'ask',
      presets: ['registries'],
      allow: ['example.com', '*.example.org:8443', '192.0.2.1'],
      deny: ['bad.example.com'],
      passThrough: ['pinned.example.com'],
      git: ['ask push example.com/team/repo branch main'],
      resolve: ['example.com:443:127.0.0.1:8443'],
      dns: '127.0.0.1:53',
    },
    'shell',
  ),
);
const NAMED: Readonly<Record<string, string>> = {
  'header:NAME': 'header:x-api-key',
  'query:NAME': 'query:key',
  'path:PREFIX': 'path:bot',
  'json:POINTER': 'json:/auth/token',
  'form:NAME': 'form:token',
};
const grants = KIND_LIST.map(({ kind }, index) => {
  const summary = {
    name: `name-${String(index)}`,
    kind: NAMED[kind] ?? kind,
    hosts: [],
    addedAt: '',
  };
  return unwrap(buildGrant(summary as CredentialSummary, ['example.com']));
});
const [grant] = grants;
const { set: watch } = buildWatchSet([
  {
    value: 'a value that is watched for',
    owner: { code: 'watch.hidden-value', words: 'X of .env' },
  },
]);

const spec: SentSpec = {
  linkFolder: '/run/link',
  network: { ...policy, git: policy.git.map(({ words }) => words) },
  credentials: grants.map((each) => ({ grant: each, secret: SECRET })),
  watch,
  upstreamAuthorities: ['PEM'],
  authority: { certificatePem: 'PEM', privateKeyPem: SECRET },
};
const start: SentToProcess = { type: 'start', spec };

/** What arrives: a structured clone of what was sent. */
const arrived = (message: unknown): unknown => structuredClone(message);

describe('orders', () => {
  it('arrive as they were sent, rules read again', () => {
    expect(grants.length).toBeGreaterThan(10);
    expect(readOrder(arrived(start))).toEqual({
      type: 'start',
      spec: { ...spec, network: policy },
    });
  });

  it.each<SentToProcess>([
    { type: 'program', id: 3, program: { pid: 1, command: ['sh'], ancestors: [['init']] } },
    { type: 'program', id: 0, program: undefined },
    { type: 'program', id: 0 },
    { type: 'answer', id: 'a-1', answer: 'allowed', scope: 'once' },
    { type: 'taken' },
    { type: 'watch', set: watch },
    { type: 'close' },
  ])('of each type arrive: $type', (message) => {
    expect(readOrder(arrived(message))).toEqual(message);
  });

  const credential = { grant, secret: SECRET };
  it.each<readonly [string, unknown]>([
    ['nothing', undefined],
    ['a type that there is not', { type: 'stop' }],
    ['a type that every object has', { type: 'toString' }],
    ['a field too many', { type: 'taken', more: 1 }],
    ['a spec without its network', { ...start, spec: { ...spec, network: undefined } }],
    ['a spec with a field too many', { ...start, spec: { ...spec, session: 'x' } }],
    [
      'a host that is not canonical',
      {
        ...start,
        spec: {
          ...spec,
          network: {
            ...spec.network,
            allow: [{ rule: { type: 'exact', host: 'EXAMPLE.com' }, words: '', by: 'user' }],
          },
        },
      },
    ],
    [
      'a git rule that cannot be read',
      { ...start, spec: { ...spec, network: { ...spec.network, git: ['ask everything'] } } },
    ],
    [
      'a default that is none',
      { ...start, spec: { ...spec, network: { ...spec.network, default: 'maybe' } } },
    ],
    [
      'a site that there is not',
      {
        ...start,
        spec: {
          ...spec,
          credentials: [{ ...credential, grant: { ...grant, sites: [{ type: 'anywhere' }] } }],
        },
      },
    ],
    [
      'a path pattern that cannot be read',
      {
        ...start,
        spec: {
          ...spec,
          credentials: [{ ...credential, grant: { ...grant, scope: { paths: ['v1/*'] } } }],
        },
      },
    ],
    [
      'a short placeholder',
      {
        ...start,
        spec: { ...spec, credentials: [{ ...credential, grant: { ...grant, placeholder: 'x' } }] },
      },
    ],
    [
      'a grant without parts',
      {
        ...start,
        spec: { ...spec, credentials: [{ ...credential, grant: { ...grant, parts: [] } }] },
      },
    ],
    [
      'an empty secret',
      { ...start, spec: { ...spec, credentials: [{ ...credential, secret: '' }] } },
    ],
    ['a key that is no base64', { type: 'watch', set: { ...watch, key: '*'.repeat(44) } }],
    ['an answer that is none', { type: 'answer', id: 'a-1', answer: 'yes', scope: 'once' }],
    ['an answer to no question', { type: 'answer', id: '1', answer: 'allowed', scope: 'once' }],
    ['an answer without its reach', { type: 'answer', id: 'a-1', answer: 'allowed' }],
    ['a program without a number', { type: 'program', id: 1, program: { pid: -1, command: [] } }],
  ])('out of line are refused: %s', (_name, message) => {
    expect(() => readOrder(arrived(message))).toThrow(SchemaError);
  });

  it('that are refused do not say what stood there', () => {
    const held = { grant, secret: SECRET.repeat(3000) };
    const network = { ...spec.network, default: SECRET };
    for (const changed of [{ credentials: [held] }, { network }, { [SECRET]: 1 }]) {
      let told = '';
      try {
        readOrder({ ...start, spec: { ...spec, ...changed } });
      } catch (failed) {
        told = inspect(failed);
      }
      expect(told).toContain('SchemaError');
      expect(told).not.toContain('sk-real');
    }
  });

  it('are read or refused, whatever comes', () => {
    assert(
      property(anything(), (value) => {
        expect(() => readOrder(value)).toThrow(SchemaError);
      }),
      { numRuns: 300 },
    );
  });
});
