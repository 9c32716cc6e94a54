import { describe, expect, it } from 'vitest';
import { unwrap } from '../../kit/index.ts';
import { parseHost } from '../../policy/index.ts';
import { sameAuthority } from './request-head.ts';

const to = { host: unwrap(parseHost('www.allowed.test')), port: 443, tls: true };

describe('an authority', () => {
  it.each([
    'www.allowed.test',
    'www.allowed.test:443',
    'WWW.Allowed.Test',
    'www.allowed.test.',
    'www\u3002allowed\uff0etest',
    '\uff57ww.allowed.test',
  ])('%j means the host of the connection', (text) => {
    expect(sameAuthority(text, to)).toBe(true);
  });

  it.each([
    '',
    'www.allowed.test:80',
    'www.allowed.test:',
    'www.allowed.test:443:443',
    'www.allowed.test:+443',
    'www.allowed.test:99999',
    'www.allowed.test@evil.test',
    'evil.test@www.allowed.test',
    'www.allowed.test:443@evil.test',
    'evil.test#www.allowed.test',
    'evil.test?www.allowed.test',
    'evil.test/www.allowed.test',
    'evil.test\\www.allowed.test',
    'evil.test\\@www.allowed.test',
    'www.allowed.test.evil.test',
    'evilwww.allowed.test',
    'wwwXallowed.test',
    'allowed.test',
    'www.allowed.test%2eevil.test',
    'www.allowed.test%00.evil.test',
    'www.allowed.test\0.evil.test',
    'www.allowed.test\t',
    ' www.allowed.test',
    'www.allowed.test..',
    'www.allowed.test, evil.test',
    'www.allowed.t\u0435st',
    '[www.allowed.test]',
    '[::1]',
    '//www.allowed.test',
    'https://www.allowed.test',
  ])('%j does not', (text) => {
    expect(sameAuthority(text, to)).toBe(false);
  });
});
