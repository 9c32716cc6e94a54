import { inFile, type Mutation } from '../mutation.ts';

const PROCESS = 'app/broker/process';
const ASK = 'app/broker/ask.test.ts';
const ASKER = `${PROCESS}/asker.test.ts`;

/** What stands between a question and what it asks about. */
export const ASKING_MUTATIONS: readonly Mutation[] = [
  ...inFile(`${PROCESS}/forward.ts`, [
    [
      'ask-before',
      'a request that needs leave waits for it',
      'if (outgoing.leave === undefined) sendAll();',
      'if (outgoing.leave !== null) sendAll();',
      ASK,
    ],
    [
      'ask-refused',
      'a request without leave is refused',
      'if (given.ok) sendAll();',
      'if (given.ok || outgoing.leave !== undefined) sendAll();',
      ASK,
    ],
    [
      'ask-left',
      'the question of a program that is gone is withdrawn',
      'caller.onLeft(() => underWay.gone?.abort())',
      'caller.onLeft(() => undefined)',
      ASK,
    ],
  ]),
  ...inFile(`${PROCESS}/intercept.ts`, [
    [
      'ask-probe',
      'no protocol is found out by dialling before there is leave',
      "verdict.verdict === 'ask' && !asker.given(to)",
      "verdict.verdict === 'ask' && asker.given(to)",
      ASK,
    ],
  ]),
  ...inFile(`${PROCESS}/judge-request.ts`, [
    [
      'ask-both',
      'leave for a repository is none for its destination',
      'given.ok && leave !== undefined ? leave(waiting) : given',
      'leave !== undefined ? leave(waiting) : given',
      ASK,
    ],
  ]),
  ...inFile(`${PROCESS}/asker.ts`, [
    [
      'ask-exact',
      'leave for once is for the very request that was shown',
      'exactOf(waiter.asked) === exact',
      "exact !== ''",
      ASKER,
    ],
    [
      'ask-branch-end',
      'leave to write a branch is none to delete it',
      "action === 'delete' ? 'delete' : 'push'",
      "action === 'delete' ? 'push' : 'push'",
      ASKER,
    ],
    [
      'ask-every',
      'a push needs leave for every branch',
      'held.every((part) => part !== undefined)',
      'held.some((part) => part !== undefined)',
      ASKER,
    ],
  ]),
  ...inFile(`${PROCESS}/mediators/git.ts`, [
    [
      'ask-push',
      'a push that is asked about waits',
      "return given.ok ? ok('go') : err({ ...given.error, answer: refusedPush(push, given.error) });",
      "return given.ok ? ok('go') : ok('go');",
      'app/broker/git.test.ts',
    ],
  ]),
  ...inFile('app/broker/start-broker.ts', [
    [
      'ask-failed',
      'a question that cannot be put is answered with no',
      'asked.then(settle, () => settle(NOBODY));',
      "asked.then(settle, () => settle({ answer: 'allowed', scope: 'once' }));",
      ASK,
    ],
  ]),
  ...inFile('app/session/questions.ts', [
    [
      'ask-nobody',
      'where nobody is there the answer is no',
      '!attended() || open.size',
      'open.size',
      'app/session/questions.test.ts',
    ],
    [
      'ask-time',
      'no answer in time is no',
      "end({ answer: 'timed-out', scope: 'once' })",
      "end({ answer: 'allowed', scope: 'once' })",
      'app/session/questions.test.ts',
    ],
    [
      'ask-no',
      'no is no',
      "verdict === 'allow' ? 'allowed' : 'denied'",
      "verdict === 'allow' ? 'allowed' : 'allowed'",
      'app/session/questions.test.ts',
    ],
  ]),
];
