import { inFile, type Mutation } from '../mutation.ts';

/** What the rules promise. */
export const POLICY_MUTATIONS: readonly Mutation[] = [
  ...inFile('app/policy/host.ts', [
    [
      'host-characters',
      'a host has no characters that a URL reads otherwise',
      "if (NEVER_IN_A_NAME.test(text)) return refuse('has characters that no name has');",
      '',
      'app/policy/host.test.ts',
    ],
    [
      'host-mapped',
      'an IPv4 address written as IPv6 is no second host',
      "if (foldMapped(bytes) !== bytes) return refuse('is an IPv4 address written as IPv6');",
      '',
      'app/policy/host.test.ts',
    ],
    [
      'host-dot',
      'a trailing dot makes no other host',
      "parsed.endsWith('.') ? parsed.slice(0, -1) : parsed;",
      'parsed;',
      'app/policy/host.test.ts',
    ],
  ]),
  ...inFile('app/policy/path.ts', [
    [
      'path-dots',
      'dot segments are refused, however encoded',
      "if (layer.split('/').some(isDotSegment)) return refuse('has dot segments in it');",
      '',
      'app/policy/path.test.ts',
    ],
    [
      'path-slash',
      'slashes encoded twice are refused',
      'if (ENCODED_SEPARATOR.test(layer))',
      "if (layer === '')",
      'app/policy/path.test.ts',
    ],
    [
      'path-overlong',
      'overlong encodings are refused',
      "if (OVERLONG.test(path)) return refuse('has an overlong encoding in it');",
      '',
      'app/policy/path.test.ts',
    ],
    [
      'path-backslash',
      'backslashes are refused',
      "if (layer.includes('\\\\')) return refuse('has a backslash in it');",
      '',
      'app/policy/path.test.ts',
    ],
  ]),
  ...inFile('app/policy/judge-address.ts', [
    [
      'address-block',
      'private, link-local and metadata addresses are refused',
      'if (block !== undefined) return refuse(block.what);',
      '',
      'app/policy/judge-address.test.ts',
    ],
    [
      'address-own',
      'this machine’s own addresses are refused',
      "if (same(foldMapped(ownBytes), bytes)) return refuse('this machine’s own address');",
      '',
      'app/policy/judge-address.test.ts',
    ],
    [
      'address-isatap',
      'ISATAP addresses are refused',
      "if (bytes.length === 16 && isIsatap(bytes)) return refuse('an ISATAP tunnel');",
      '',
      'app/policy/judge-address.test.ts',
    ],
    [
      'address-global',
      'IPv6 outside the public space is refused',
      '!inBlock(bytes, GLOBAL_UNICAST.prefix, GLOBAL_UNICAST.bits)',
      'bytes.length === 0',
      'app/policy/judge-address.test.ts',
    ],
  ]),
  ...inFile('app/policy/network.ts', [
    [
      'raw-exact',
      'raw TCP needs a rule for exactly that host',
      "by === 'user' && rule.type === 'exact' && rule.port === port && rule.host === host,",
      "by === 'user' && rule.port === port && matchesHostRule(rule, host, port),",
      'app/policy/network.test.ts',
    ],
    [
      'raw-user',
      'presets and grants open no raw TCP',
      "by === 'user' && rule.type === 'exact' && rule.port === port && rule.host === host,",
      "rule.type === 'exact' && rule.port === port && rule.host === host,",
      'app/policy/network.test.ts',
    ],
    [
      'raw-git',
      'raw TCP does not go around a git rule',
      'if (policy.git.some((rule) => matchesHostRule(rule.host, host, port))) return undefined;',
      '',
      'app/policy/network.test.ts',
    ],
    [
      'raw-deny',
      'a deny rule closes raw TCP',
      'if (ruleFor(policy.deny, host, port) !== undefined) return undefined;',
      '',
      'app/policy/network.test.ts',
    ],
    [
      'pass-deny',
      'a deny rule closes pass-through',
      'ruleFor(policy.deny, host, port) === undefined\n    ? ruleFor(policy.passThrough, host, port)',
      'policy.deny.length >= 0\n    ? ruleFor(policy.passThrough, host, port)',
      'app/policy/network.test.ts',
    ],
  ]),
  ...inFile('app/policy/path-pattern.ts', [
    [
      'pattern-empty',
      'a path with empty segments fits no pattern',
      "!path.includes('//') &&",
      '',
      'app/policy/path-pattern.test.ts',
    ],
    [
      'pattern-slash',
      'no star stands for an encoded slash',
      "free: (segment) => !segment.includes('/'),",
      'free: () => true,',
      'app/policy/path-pattern.test.ts',
    ],
  ]),
  ...inFile('app/policy/git-rule.ts', [
    [
      'git-case',
      'a refusal by git rule holds in every case of letters',
      "rule.verdict === 'allow' ? undefined : anyCase",
      'undefined',
      'app/policy/git-rule.test.ts',
    ],
    [
      'git-closed',
      'where git rules allow something, the rest is denied',
      "closed ? 'deny' : 'allow'",
      "'allow'",
      'app/policy/git-rule.test.ts',
    ],
  ]),
];
