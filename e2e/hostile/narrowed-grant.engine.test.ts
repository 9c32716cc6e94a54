import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HOSTS, openArena, REAL_KEY, type Arena } from './arena.ts';

let arena: Arena;

beforeAll(async () => {
  arena = await openArena({
    grants: [
      {
        credential: 'anthropic-test',
        methods: ['GET', 'POST'],
        paths: ['/v1/*'],
        sites: ['header:x-api-key'],
      },
    ],
  });
});
afterAll(async () => {
  await arena.close();
});

const KEY = '-H "x-api-key: $ANTHROPIC_API_KEY"';
const curl = (args: string, path: string): string =>
  `curl -sS -m 8 -k --path-as-is -D - ${args} 'https://${HOSTS.granted}${path}'`;

describe('a grant narrowed by method, path and place', () => {
  it.each([
    ['GET', curl(KEY, '/v1/models?x=1')],
    ['POST', curl(`${KEY} -d a=1`, '/v1/messages')],
  ])('lets %s through within it', async (_method, script) => {
    const before = arena.granted.requests.length;
    const { stdout } = await arena.inside.run(script);
    expect(arena.granted.requests.slice(before).map(({ rawHeaders }) => rawHeaders)).toEqual([
      expect.arrayContaining([REAL_KEY]) as unknown,
    ]);
    expect(stdout).not.toContain(REAL_KEY);
  });

  it.each([
    ['another method', curl(`${KEY} -X DELETE`, '/v1/models'), 'grant.method'],
    [
      'another method in a header',
      curl(`${KEY} -X POST -H 'X-HTTP-Method-Override: DELETE'`, '/v1/models'),
      'grant.method',
    ],
    ['another method in the query', curl(KEY, '/v1/models?_method=DELETE'), 'grant.method'],
    ['another method in a form', curl(`${KEY} -d _method=delete`, '/v1/models'), 'grant.method'],
    ['another path', curl(KEY, '/v2/models'), 'grant.path'],
    ['a deeper path', curl(KEY, '/v1/models/all'), 'grant.path'],
    ['an empty part', curl(KEY, '//v1/models'), 'grant.path'],
    ['another case', curl(KEY, '/V1/models'), 'grant.path'],
    ['an encoded slash', curl(KEY, '/v1/models%2Fall'), 'grant.path'],
    ['dot segments', curl(KEY, '/v1/../admin'), 'egress.bad-path'],
    ['encoded dot segments', curl(KEY, '/v1/%2e%2e/admin'), 'egress.bad-path'],
    [
      'another place of its kind',
      curl('-H "Authorization: Bearer $ANTHROPIC_API_KEY"', '/v1/models'),
      'grant.wrong-place',
    ],
  ])('refuses %s', async (_what, script, code) => {
    const before = arena.granted.requests.length;
    const { stdout } = await arena.inside.run(script);
    expect(stdout.toLowerCase()).toContain(`glovebox-code: ${code}`);
    expect(arena.granted.requests.length).toBe(before);
  });
});
