import { assert, constantFrom, option, property, record, uniqueArray } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GrantRequest } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { buildGrant } from './grant.ts';
import { formatGrant, MAX_GRANT_CHARS, parseGrant } from './grant-text.ts';

describe('a grant in one line', () => {
  it.each([
    ['work', { credential: 'work' }],
    ['work@api.test', { credential: 'work', hosts: ['api.test'] }],
    ['work@API.test,[::1]:8443', { credential: 'work', hosts: ['api.test', '[::1]:8443'] }],
    ['work methods=get,HEAD,GET', { credential: 'work', methods: ['GET', 'HEAD'] }],
    [
      'work@*.api.test path=/v1/* path=/v2/** site=header:x-key site=json:/a=b',
      {
        credential: 'work',
        hosts: ['*.api.test'],
        paths: ['/v1/*', '/v2/**'],
        sites: ['header:x-key', 'json:/a=b'],
      },
    ],
  ])('reads %s', (text, grant) => {
    expect(unwrap(parseGrant(text))).toEqual(grant);
    expect(GrantRequest.safeParse(grant).success).toBe(true);
  });

  it.each([
    '',
    '@api.test',
    'work@',
    'work@a.test,',
    'work@*',
    ' work',
    'work ',
    'work  methods=GET',
    'work methods=',
    'work methods=GET methods=POST',
    'work methods=TRACE',
    'work methods=GE T',
    'work path=v1',
    'work path=/a/../b',
    'work site=',
    'work host=a.test',
    'work methods',
    'work =GET',
    `work ${'path=/x '.repeat(MAX_GRANT_CHARS)}`,
  ])('refuses %j', (text) => {
    expect(parseGrant(text).ok).toBe(false);
  });

  it('reads back what it writes', () => {
    const some = <T>(...items: T[]) =>
      option(uniqueArray(constantFrom(...items), { minLength: 1 }), { nil: undefined });
    assert(
      property(
        record({
          credential: constantFrom('work', 'a.b-c_d'),
          hosts: some('api.test', '*.api.test:8443', '[2606:4700::1]'),
          methods: some('GET', 'POST', 'DELETE'),
          paths: some('/', '/v1/*', '/a/**/b', '/%20x'),
          sites: some('bearer', 'basic', 'query:key', 'json:/a/b'),
        }),
        (grant) => {
          const { credential, ...rest } = grant;
          const given = Object.entries(rest).filter(([, value]) => value !== undefined);
          const request = { credential, ...Object.fromEntries(given) } as GrantRequest;
          expect(unwrap(parseGrant(formatGrant(request)))).toEqual(request);
        },
      ),
    );
  });
});

describe('what narrows a grant', () => {
  const summary = { name: 'work', kind: 'gitlab', hosts: [], addedAt: '' };

  it('leaves fewer methods, paths and sites', () => {
    const { scope, sites } = unwrap(
      buildGrant(summary, undefined, 'usual', {
        methods: ['GET'],
        paths: ['/api/**'],
        sites: ['bearer'],
      }),
    );
    expect(scope).toEqual({ methods: ['GET'], paths: ['/api/**'] });
    expect(sites).toEqual([{ type: 'authorization' }]);
    const whole = unwrap(buildGrant(summary, undefined));
    expect([whole.scope, whole.sites.length]).toEqual([{}, 3]);
  });

  it('never adds a site that the kind does not have', () => {
    expect(buildGrant(summary, undefined, 'usual', { sites: ['query:key'] })).toMatchObject({
      ok: false,
      error: { code: 'policy.refused' },
    });
  });

  it('is refused for what has neither methods nor paths', () => {
    const database = { ...summary, kind: 'postgres' };
    expect(buildGrant(database, ['db.test'], 'usual', { methods: ['GET'] }).ok).toBe(false);
  });
});
