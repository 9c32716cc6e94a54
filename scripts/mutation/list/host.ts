import { inFile, type Mutation } from '../mutation.ts';

/** What the host keeps by itself. */
export const HOST_MUTATIONS: readonly Mutation[] = [
  ...inFile('app/timeline/verify.ts', [
    [
      'chain-hash',
      'an edited event breaks the chain',
      '|| !sameHash(stored, hash)) {',
      ') {',
      'app/timeline/verify.test.ts',
    ],
    [
      'chain-cut',
      'a record cut off at the end shows',
      'if (events < head.events) {',
      'if (events < 0) {',
      'app/timeline/verify.test.ts',
    ],
    [
      'chain-anchor',
      'a record that was put in another’s place shows',
      "if (seen.anchored === undefined || Buffer.from(seen.anchored).toString('hex') !== head.hash) {",
      'if (seen.events < 0) {',
      'app/timeline/verify.test.ts',
    ],
    [
      'chain-sealed',
      'events after a sealed end show',
      'if (head.sealed && events > head.events) {',
      'if (events < 0) {',
      'app/timeline/verify.test.ts',
    ],
    [
      'chain-columns',
      'a changed column shows',
      'if (FACETS.some((name) => facets[name] !== row[name])) {',
      'if (seq < 0) {',
      'app/timeline/verify.test.ts',
    ],
  ]),
  ...inFile('app/session/live.ts', [
    [
      'record-reserve',
      'no timeline takes the room that is kept for how a session ended',
      'freeReserve(paths.timelineReserve);\n    if (!flushed.ok)',
      'freeReserve(paths.timelineReserve);\n    freeReserve(paths.recordReserve);\n    if (!flushed.ok)',
      'app/session/full-disk.test.ts',
    ],
    [
      'last-touches',
      'the guard’s last touches are on record before a session’s end is',
      'if (removed.ok && !guardIsGone) {',
      'if (guardIsGone) {',
      'app/session/ending.test.ts',
    ],
  ]),
  ...inFile('app/session/readiness.ts', [
    [
      'lost-ready',
      'an engine that goes while a container is waited for is named as the cause',
      'if (exitCode === LOST_EXIT) throw lostWhile(`Starting ${what}`);',
      '',
      'app/session/starting.test.ts',
    ],
  ]),
  ...inFile('app/session/first-run.ts', [
    [
      'lost-first-run',
      'an engine that goes while the first-run files are written is named as the cause',
      'if (status === LOST_EXIT) throw',
      'if (status === LOST_EXIT - 1) throw',
      'app/session/starting.test.ts',
    ],
  ]),
  ...inFile('app/vault/sealed-store.ts', [
    [
      'sealed-once',
      'many credentials of one sealed file are read in time to be watched for',
      'createKeyMemory(deriveAnew)',
      'deriveAnew',
      'app/vault/sealed-store.test.ts',
    ],
  ]),
  ...inFile('app/serve/request-check.ts', [
    [
      'serve-host',
      'the browser window answers at its own address alone',
      '(host === `127.0.0.1:${port}` || host === `localhost:${port}`)',
      'host !== undefined',
      'app/serve/serve.test.ts',
    ],
    [
      'serve-origin',
      'no other page speaks to the browser window',
      "origins.length === 1 && origins[0] === `http://${request.headers.host ?? ''}`",
      'origins.length >= 0',
      'app/serve/serve.test.ts',
    ],
    [
      'serve-cookie-twice',
      'a cookie that is there twice is none',
      'return values.length === 1 ? values[0] : undefined;',
      'return values[0];',
      'app/serve/serve.test.ts',
    ],
  ]),
  ...inFile('app/serve/gate.ts', [
    [
      'serve-token',
      'the link’s token is checked',
      '|| !same(token, link.token)) {',
      ') {',
      'app/serve/serve.test.ts',
    ],
    [
      'serve-token-once',
      'the link’s token is good once',
      'link = undefined;\n      const cookie',
      'const cookie',
      'app/serve/serve.test.ts',
    ],
    [
      'serve-token-time',
      'the link’s token runs out',
      'deps.now() > link.until ||',
      '',
      'app/serve/serve.test.ts',
    ],
  ]),
  ...inFile('app/workspace/name-rules.ts', [
    [
      'hide-env',
      '.env files are hidden',
      "if (name === '.env' || (name.startsWith('.env.') && !isEnvKin(name))) {",
      "if (name === '.env') {",
      'app/workspace/name-rules.test.ts',
    ],
    [
      'hide-case',
      'names are compared without case',
      "const parts = path.toLowerCase().split('/');",
      "const parts = path.split('/');",
      'app/workspace/name-rules.test.ts',
    ],
    [
      'hide-folder',
      'folders of keys are hidden',
      "if (folder !== undefined) return { type: 'hide', rule: folder };",
      '',
      'app/workspace/name-rules.test.ts',
    ],
    [
      'hide-stores',
      'key stores are hidden',
      "if (KEY_STORES.test(name)) return { type: 'hide', rule: 'key stores' };",
      '',
      'app/workspace/name-rules.test.ts',
    ],
  ]),
];
