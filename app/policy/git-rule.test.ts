import { describe, expect, it } from 'vitest';
import { unwrap } from '../kit/index.ts';
import { judgeGit, parseGitRule, type GitAct } from './git-rule.ts';
import { parseHost } from './host.ts';

const rules = (...texts: readonly string[]) => texts.map((text) => unwrap(parseGitRule(text)));
const act = (
  operation: GitAct['operation'],
  repository: string,
  ref?: string,
  host = 'github.com',
): GitAct => ({
  operation,
  host: unwrap(parseHost(host)),
  port: 443,
  repository,
  ...(ref === undefined ? {} : { ref }),
});
const verdict = (texts: readonly string[], what: GitAct) => judgeGit(rules(...texts), what).verdict;

describe('git rules', () => {
  it.each([
    'allow push github.com/owner/repo branch main',
    'deny push github.com/**',
    'ask fetch *.example.com:8443/group/*/repo',
    'deny push github.com/owner/repo branch release/*',
    'deny push github.com/owner/repo branch refs/tags/**',
  ])('reads %s and writes it back', (text) => {
    expect(unwrap(parseGitRule(text)).words).toBe(text);
  });

  it('takes .git off', () => {
    expect(unwrap(parseGitRule('allow fetch GitHub.com/a/b.git')).words).toBe(
      'allow fetch github.com/a/b',
    );
  });

  it.each([
    '',
    'allow push github.com',
    'allow push github.com/',
    'allow pull github.com/a/b',
    'permit push github.com/a/b',
    'allow push  github.com/a/b',
    'allow push https://github.com/a/b',
    'allow push github.com/a/../b',
    'allow push github.com/a%2fb/c',
    'allow push github.com/a/b* branch main',
    'allow push github.com/a/b branch ma*n',
    'allow push github.com/a/b branch a..b',
    'allow push github.com/a/b branch x.lock',
    'allow fetch github.com/a/b branch main',
    'allow push github.com/a/b main',
    `allow push github.com/${'a/'.repeat(40)}b`,
  ])('refuses %j', (text) => {
    expect(parseGitRule(text)).toMatchObject({ ok: false, error: { code: 'policy.invalid' } });
  });

  it('leaves a host alone that no rule names', () => {
    expect(verdict([], act('push', 'me/it', 'refs/heads/main'))).toBe('allow');
    expect(verdict(['deny push gitlab.com/**'], act('push', 'me/it'))).toBe('allow');
    expect(verdict(['allow push github.com/me/it'], act('fetch', 'other/it'))).toBe('allow');
  });

  it('lets deny win over ask and ask over allow, in any order', () => {
    const all = [
      'allow push github.com/me/**',
      'ask push github.com/me/it',
      'deny push github.com/me/it branch main',
    ];
    for (const texts of [all, all.toReversed()]) {
      expect(verdict(texts, act('push', 'me/it', 'refs/heads/main'))).toBe('deny');
      expect(verdict(texts, act('push', 'me/it', 'refs/heads/dev'))).toBe('ask');
      expect(verdict(texts, act('push', 'me/other', 'refs/heads/main'))).toBe('allow');
    }
  });

  it('closes an operation at a host once a rule allows some of it', () => {
    const texts = ['allow push github.com/me/it branch main'];
    expect(verdict(texts, act('push', 'me/it', 'refs/heads/main'))).toBe('allow');
    expect(verdict(texts, act('push', 'me/it', 'refs/heads/dev'))).toBe('deny');
    expect(verdict(texts, act('push', 'me/it', 'refs/tags/main'))).toBe('deny');
    expect(verdict(texts, act('push', 'you/it', 'refs/heads/main'))).toBe('deny');
    expect(verdict(texts, act('push', 'me/it', 'refs/heads/main', 'gitlab.com'))).toBe('allow');
  });

  it('refuses in every case of letters, and allows in the written one alone', () => {
    expect(verdict(['deny push github.com/me/it'], act('push', 'ME/It'))).toBe('deny');
    expect(verdict(['allow push github.com/me/it'], act('push', 'ME/It'))).toBe('deny');
  });
});
