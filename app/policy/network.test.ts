import { describe, expect, it } from 'vitest';
import { ASSISTANTS, type NetworkRequest } from '../contract/index.ts';
import { unwrap } from '../kit/index.ts';
import { parseHost } from './host.ts';
import {
  allowsRaw,
  buildNetworkPolicy,
  describeNetworkPolicy,
  findResolve,
  judgeDestination,
  MAX_POLICY_LINES,
  passesThrough,
} from './network.ts';

const request = (change: Partial<NetworkRequest>): NetworkRequest => ({
  default: 'deny',
  presets: [],
  allow: [],
  deny: [],
  resolve: [],
  ...change,
});
const judge = (change: Partial<NetworkRequest>, host: string, port = 443) =>
  judgeDestination(
    unwrap(buildNetworkPolicy(request(change), 'claude-code')),
    unwrap(parseHost(host)),
    port,
  );

describe('the network policy', () => {
  it('denies what no rule names', () => {
    expect(judge({}, 'example.com')).toEqual({
      verdict: 'denied',
      code: 'egress.no-rule',
      rule: 'default deny',
    });
  });

  it('lets deny win, in whatever order', () => {
    const change = { allow: ['*.example.com'], deny: ['secret.example.com'] };
    expect(judge(change, 'a.example.com')).toEqual({
      verdict: 'allowed',
      rule: '--allow *.example.com',
    });
    expect(judge(change, 'secret.example.com')).toEqual({
      verdict: 'denied',
      code: 'egress.denied-by-rule',
      rule: '--deny secret.example.com',
    });
    expect(judge({ default: 'allow', deny: ['a.test'] }, 'A.test.').verdict).toBe('denied');
    expect(judge({ default: 'allow' }, 'a.test').rule).toBe('default allow');
  });

  it('keeps rules to their ports', () => {
    expect(judge({ allow: ['example.com:8443'] }, 'example.com').verdict).toBe('denied');
    expect(judge({ allow: ['example.com'] }, 'example.com', 22).verdict).toBe('denied');
  });

  it('names the preset that allowed', () => {
    const change: Partial<NetworkRequest> = { presets: ['assistant', 'registries'] };
    expect(judge(change, 'api.anthropic.com').rule).toBe('preset claude-code');
    expect(judge(change, 'api.anthropic.com', 80).verdict).toBe('denied');
    expect(judge(change, 'pypi.org').rule).toBe('preset registries');
    expect(judge(change, 'ftp.debian.org', 80).verdict).toBe('allowed');
    for (const host of ['github.com', 'npmjs.org', 'api.openai.com', 'statsig.anthropic.com']) {
      expect(judge(change, host).verdict).toBe('denied');
    }
  });

  it('has readable presets for every assistant', () => {
    for (const assistant of ASSISTANTS) {
      const built = buildNetworkPolicy(
        request({ presets: ['assistant', 'registries'] }),
        assistant,
      );
      expect(built.ok).toBe(true);
    }
  });

  it('finds resolve rules for exactly their destination, and allows nothing by them', () => {
    const policy = unwrap(
      buildNetworkPolicy(request({ resolve: ['api.test:443:127.0.0.1:8443'] }), 'shell'),
    );
    const host = unwrap(parseHost('API.test'));
    expect(findResolve(policy, host, 443)?.addressPort).toBe(8443);
    expect(findResolve(policy, host, 80)).toBeUndefined();
    expect(findResolve(policy, unwrap(parseHost('x.api.test')), 443)).toBeUndefined();
    expect(judgeDestination(policy, host, 443).verdict).toBe('denied');
  });

  it.each([
    [{ allow: ['*'] }, 'policy.invalid', '--allow *'],
    [{ deny: ['a b'] }, 'egress.bad-host', '--deny a b'],
    [{ resolve: ['a:1:b'] }, 'policy.invalid', '--resolve a:1:b'],
    [{ resolve: ['a:1:10.0.0.1', 'A:1:10.0.0.2'] }, 'policy.invalid', 'a:1 twice'],
    [{ dns: 'dns.test' }, 'policy.invalid', '--dns'],
    [{ passThrough: ['*.com'] }, 'policy.invalid', '--pass-through *.com'],
    [{ git: ['allow push github.com'] }, 'policy.invalid', 'git: allow push github.com'],
    [
      { git: ['allow push git.code.test/a/b'], passThrough: ['*.code.test'] },
      'policy.refused',
      '--pass-through *.code.test',
    ],
  ] as const)('refuses %j', (change, code, words) => {
    const built = buildNetworkPolicy(request(change as Partial<NetworkRequest>), 'shell');
    expect(built.ok ? '' : built.error.code).toBe(code);
    expect(built.ok ? '' : built.error.message).toContain(words);
  });

  it('leaves to a person what no rule names, where it asks, and only that', () => {
    const change: Partial<NetworkRequest> = {
      default: 'ask',
      allow: ['yes.test'],
      deny: ['no.test', '*.yes.test'],
    };
    expect(judge(change, 'other.test')).toEqual({ verdict: 'ask', rule: 'default ask' });
    expect(judge(change, 'yes.test').verdict).toBe('allowed');
    expect(judge(change, 'no.test').verdict).toBe('denied');
    expect(judge(change, 'sub.yes.test').verdict).toBe('denied');
    const policy = unwrap(buildNetworkPolicy(request(change), 'shell'));
    expect(allowsRaw(policy, unwrap(parseHost('other.test')), 5432)).toBeUndefined();
    expect(passesThrough(policy, unwrap(parseHost('other.test')), 443)).toBeUndefined();
  });

  it('tells itself in words', () => {
    const policy = unwrap(
      buildNetworkPolicy(
        request({
          presets: ['assistant'],
          allow: ['[2606:4700::1]:80'],
          deny: ['b.test'],
          resolve: ['c.test:443:[::1]:1'],
          dns: '9.9.9.9',
        }),
        'codex',
      ),
    );
    expect(describeNetworkPolicy(policy)).toEqual([
      'default deny',
      '--deny b.test',
      'preset codex: api.openai.com:443, auth.openai.com:443, chatgpt.com:443',
      '--allow [2606:4700::1]:80',
      '--resolve c.test:443:[::1]:1',
      '--dns 9.9.9.9:53',
    ]);
  });

  it('reaches what it passes through, unless it is denied', () => {
    const change = { passThrough: ['*.pinned.test', 'mtls.test:8443'], deny: ['no.pinned.test'] };
    const policy = unwrap(buildNetworkPolicy(request(change), 'shell'));
    const through = (host: string, port = 443) =>
      passesThrough(policy, unwrap(parseHost(host)), port)?.words;
    expect(through('a.pinned.test')).toBe('--pass-through *.pinned.test');
    expect(through('mtls.test', 8443)).toBe('--pass-through mtls.test:8443');
    expect(through('mtls.test')).toBeUndefined();
    expect(through('no.pinned.test')).toBeUndefined();
    expect(judge(change, 'a.pinned.test')).toEqual({
      verdict: 'allowed',
      rule: '--pass-through *.pinned.test',
    });
    expect(judge(change, 'no.pinned.test').verdict).toBe('denied');
    expect(describeNetworkPolicy(policy)).toContain(
      '--pass-through mtls.test:8443 (not inspected)',
    );
  });

  it('lets raw bytes to a host and port that the user wrote, and to no other', () => {
    const raw = (change: Partial<NetworkRequest>, host: string, port: number) =>
      allowsRaw(
        unwrap(buildNetworkPolicy(request(change), 'claude-code')),
        unwrap(parseHost(host)),
        port,
      )?.words;
    expect(raw({ allow: ['db.test:5432'] }, 'db.test', 5432)).toBe('--allow db.test:5432');
    expect(raw({ allow: ['db.test:5432'] }, 'db.test', 5433)).toBeUndefined();
    expect(raw({ allow: ['db.test'] }, 'db.test', 443)).toBeUndefined();
    expect(raw({ allow: ['*.test.example:22'] }, 'db.test.example', 22)).toBeUndefined();
    expect(raw({ default: 'allow' }, 'db.test', 5432)).toBeUndefined();
    expect(raw({ presets: ['assistant'] }, 'api.anthropic.com', 443)).toBeUndefined();
    expect(raw({ allow: ['db.test:5432'], deny: ['db.test:5432'] }, 'db.test', 5432)).toBe(
      undefined,
    );
    const git = ['deny push git.test:9418/**'];
    expect(raw({ allow: ['git.test:9418'], git }, 'git.test', 9418)).toBeUndefined();
  });

  it('cuts a long description and says so', () => {
    const allow = Array.from({ length: MAX_POLICY_LINES }, (_, index) => `h${index}.test`);
    const lines = describeNetworkPolicy(unwrap(buildNetworkPolicy(request({ allow }), 'shell')));
    expect(lines).toHaveLength(MAX_POLICY_LINES);
    expect(lines.at(-1)).toBe('and 2 more');
  });
});
