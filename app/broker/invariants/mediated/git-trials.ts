import { deflateSync, gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { comparable, same } from '../promises.ts';
import type { Pairs } from '../render.ts';
import {
  answer,
  framed,
  framing,
  manner,
  scriptOf,
  stray,
  strayAt,
  type Ask,
  type Framing,
  type Manner,
  type SlippingAnswer,
  type Stray,
  type Values,
} from './asks.ts';
import { CREDENTIAL, partIndex, PART_COUNT, PLACES } from './held.ts';

/** The rules of both forges; what follows from them is written out below, by hand. */
export const gitRules = (): string[] =>
  [PLACES.forge, PLACES.oldForge].flatMap((host) => [
    `allow fetch ${host}/me/*`,
    `allow push ${host}/me/work branch dev`,
    `allow push ${host}/me/work branch agent/*`,
    `allow push ${host}/me/free`,
    `deny push ${host}/me/closed`,
  ]);

const REFS = [
  'refs/heads/dev',
  'refs/heads/agent/one',
  'refs/heads/main',
  'refs/heads/agent/a/b',
  'refs/heads/Dev',
  'refs/tags/v1',
] as const;
type Ref = (typeof REFS)[number];

type Repository = 'me/work' | 'me/free' | 'me/closed' | 'other/secret' | 'ME/free' | 'me/CLOSED';
const MAY_FETCH: Readonly<Record<Repository, boolean>> = {
  'me/work': true,
  'me/free': true,
  'me/closed': true,
  'other/secret': false,
  'ME/free': false,
  'me/CLOSED': true,
};
const MAY_PUSH: Readonly<Record<Repository, readonly Ref[]>> = {
  'me/work': ['refs/heads/dev', 'refs/heads/agent/one'],
  'me/free': REFS,
  'me/closed': [],
  'other/secret': [],
  'ME/free': [],
  'me/CLOSED': [],
};
/** Which refs are meant is not known yet: only a rule that refuses all of them decides. */
const LISTS_FOR_PUSH = (repository: Repository): boolean =>
  repository.toLowerCase() !== 'me/closed';

/** How a path may be written that means the same to git's server. */
const PATHS = {
  plain: (path: string) => path,
  'an escaped letter': (path: string) => path.replace('e', '%65'),
  'an escaped slash': (path: string) => path.replace(/(?<=.)\//, '%2F'),
  'two slashes': (path: string) => path.replace(/(?<=.)\//, '//'),
  'a slash at the end': (path: string) => `${path}/`,
  'an escaped dash': (path: string) => path.replace('git-', 'git%2D'),
  'a parameter': (path: string) => path.replace('.git', '.git;v=1'),
} satisfies Record<string, (path: string) => string>;

export type GitRequest = Framing & {
  readonly act: 'list for fetch' | 'list for push' | 'fetch' | 'push' | 'browse';
  readonly repository: Repository;
  readonly path: keyof typeof PATHS;
  readonly method: 'POST' | 'PUT';
  readonly refs: readonly Ref[];
  readonly action: 'create' | 'update' | 'delete';
  readonly signed: boolean;
  readonly options: boolean;
  readonly shallow: boolean;
  readonly wrong: 'nothing' | 'probe' | 'nonsense' | 'two in one' | 'cut off' | 'no refs';
  readonly coding: '' | 'gzip' | 'x-gzip' | 'deflate';
  readonly pack: number;
  readonly login: 'basic' | 'bearer' | 'none' | 'other';
  readonly other: number;
  readonly stray: Stray | undefined;
  readonly answer: SlippingAnswer;
};

export type GitConnection = Manner & {
  readonly scheme: 'git';
  readonly place: 'forge' | 'oldForge';
  readonly requests: readonly GitRequest[];
};

const request: fc.Arbitrary<GitRequest> = fc.record({
  ...framing,
  act: fc.constantFrom(
    'push' as const,
    'push',
    'push',
    'push',
    'list for push',
    'list for fetch',
    'fetch',
    'fetch',
    'browse',
  ),
  repository: fc.constantFrom<Repository>(
    'me/work',
    'me/work',
    'me/work',
    'me/work',
    'me/free',
    'me/free',
    'me/free',
    'me/free',
    'me/closed',
    'other/secret',
    'ME/free',
    'me/CLOSED',
  ),
  path: fc.oneof(
    { weight: 3, arbitrary: fc.constant('plain' as const) },
    { weight: 2, arbitrary: fc.constantFrom(...(Object.keys(PATHS) as (keyof typeof PATHS)[])) },
  ),
  method: fc.constantFrom('POST' as const, 'POST', 'POST', 'PUT'),
  refs: fc.array(
    fc.constantFrom<Ref>(...Array<Ref>(4).fill(REFS[0]), ...Array<Ref>(4).fill(REFS[1]), ...REFS),
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  action: fc.constantFrom('create' as const, 'update', 'delete'),
  signed: fc.constantFrom(false, false, false, true),
  options: fc.constantFrom(false, false, false, false, false, true),
  shallow: fc.boolean(),
  wrong: fc.oneof(
    { weight: 9, arbitrary: fc.constant('nothing' as const) },
    {
      weight: 1,
      arbitrary: fc.constantFrom('probe' as const, 'nonsense', 'two in one', 'cut off', 'no refs'),
    },
  ),
  coding: fc.constantFrom('', '', '', '', 'gzip', 'gzip', 'x-gzip', 'deflate'),
  pack: fc.oneof(
    { weight: 8, arbitrary: fc.nat(600) },
    { weight: 1, arbitrary: fc.constantFrom(65_537, 150_000) },
  ),
  login: fc.constantFrom(
    'basic' as const,
    'basic',
    'basic',
    'basic',
    'bearer',
    'none',
    'none',
    'other',
  ),
  other: fc.nat(PART_COUNT - 1),
  stray: fc.oneof(
    { weight: 1, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: stray },
  ),
  answer,
});

export const gitConnection: fc.Arbitrary<GitConnection> = fc.record({
  ...manner,
  scheme: fc.constant('git' as const),
  place: fc.constantFrom('forge' as const, 'oldForge'),
  requests: fc.array(request, { minLength: 1, maxLength: 3, size: 'max' }),
});

const FLUSH = '0000';
/** A line as git frames it (gitprotocol-common(5)). */
const line = (text: string): string =>
  `${(Buffer.byteLength(text, 'latin1') + 4).toString(16).padStart(4, '0')}${text}`;
const ZERO = '0'.repeat(40);
const objectAt = (index: number): string => String((index % 9) + 1).repeat(40);

const commandsOf = ({ refs, action }: GitRequest): readonly string[] =>
  refs.map((ref, index) => {
    const old = action === 'create' ? ZERO : objectAt(index);
    return `${old} ${action === 'delete' ? ZERO : objectAt(index + 3)} ${ref}`;
  });

const pushHead = (plan: GitRequest): string => {
  const commands = commandsOf(plan);
  const capabilities = `\0report-status side-band-64k${plan.options ? ' push-options' : ''}`;
  const shallow = plan.shallow ? line(`shallow ${objectAt(7)}`) : '';
  const options = plan.options ? `${line('ci.skip')}${FLUSH}` : '';
  const listed = plan.signed
    ? [
        line(`push-cert${capabilities}\n`),
        ...[
          'certificate version 0.1',
          'pusher A <a@example.com> 1 +0000',
          'nonce 1-2',
          '',
          ...commands,
          '-----BEGIN PGP SIGNATURE-----',
          'abc',
          '-----END PGP SIGNATURE-----',
        ].map((text) => line(`${text}\n`)),
        line('push-cert-end\n'),
      ]
    : commands.map((text, index) => line(index === 0 ? `${text}${capabilities}` : text));
  switch (plan.wrong) {
    case 'probe':
      return FLUSH;
    case 'nonsense':
      return 'nonsense';
    case 'two in one':
      return `${shallow}${line(`${commands.join('\n')}\n${commands[0] ?? ''}${capabilities}`)}${FLUSH}${options}`;
    case 'cut off':
      return `${shallow}${listed.join('')}`.slice(0, -3);
    case 'no refs':
      return `${FLUSH}${listed.join('')}${FLUSH}`;
    case 'nothing':
      return `${shallow}${listed.join('')}${FLUSH}${options}`;
    default:
      return plan.wrong satisfies never;
  }
};

const packOf = (bytes: number): string =>
  bytes === 0
    ? ''
    : `PACK${Array.from({ length: bytes }, (_, index) => String.fromCharCode((index * 7) % 256)).join('')}`;

const CODERS: Readonly<Record<GitRequest['coding'], (bytes: Buffer) => Buffer>> = {
  '': (bytes) => bytes,
  gzip: (bytes) => gzipSync(bytes),
  'x-gzip': (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
};

const bodyOf = (plan: GitRequest, strayText: string): string => {
  switch (plan.act) {
    case 'push':
      // Behind the probe nothing may ride, or it would be another list.
      return plan.wrong === 'probe' && strayText === ''
        ? FLUSH
        : `${pushHead(plan)}${packOf(plan.pack)}${strayText}`;
    case 'fetch':
      return `${line(`want ${objectAt(0)} ofs-delta\n`)}${FLUSH}${line('done\n')}${strayText}`;
    case 'list for fetch':
    case 'list for push':
    case 'browse':
      return '';
    default:
      return plan.act satisfies never;
  }
};

const mayGo = (plan: GitRequest, behindProbe: boolean): boolean => {
  const { act, repository, path, wrong, coding, options, refs } = plan;
  if (act === 'browse') return true;
  // Some servers cut off what follows a semicolon: it has two readings.
  if (path === 'a parameter') return false;
  switch (act) {
    case 'list for fetch':
    case 'fetch':
      return MAY_FETCH[repository];
    case 'list for push':
      return LISTS_FOR_PUSH(repository);
    case 'push':
      if (coding === 'deflate') return false;
      if (wrong === 'probe') return !behindProbe;
      if (wrong !== 'nothing') return false;
      return (
        refs.every((ref) => MAY_PUSH[repository].includes(ref)) &&
        (!options || repository === 'me/free')
      );
    default:
      return act satisfies never;
  }
};

const TYPES: Readonly<Record<GitRequest['act'], string>> = {
  'list for fetch': 'application/x-git-upload-pack-advertisement',
  'list for push': 'application/x-git-receive-pack-advertisement',
  fetch: 'application/x-git-upload-pack-result',
  push: 'application/x-git-receive-pack-result',
  browse: 'text/plain; charset=latin1',
};

/** A request of git's out of its plan, and what must become of it. */
export const renderGit = (
  plan: GitRequest,
  place: GitConnection['place'],
  id: string,
  values: Values,
): Ask => {
  const { act } = plan;
  const strayText = strayAt(plan.stray, 'body', values);
  const text = bodyOf(plan, strayText);
  const plain = Buffer.from(text, 'latin1');
  const hasBody = plain.length > 0;
  const body = CODERS[plan.coding](plain);
  const repository = `/${plan.repository}.git`;
  const isList = act === 'list for fetch' || act === 'list for push';
  const service =
    act === 'push' || act === 'list for push' ? 'git-receive-pack' : 'git-upload-pack';
  const path =
    act === 'browse'
      ? `/${plan.repository}/blob/main/a.ts`
      : PATHS[plan.path](`${repository}/${isList ? 'info/refs' : service}`);
  const strayInTarget =
    plan.stray?.place === 'query' || plan.stray?.place === 'path'
      ? `&note=${strayAt(plan.stray, plan.stray.place, values)}`
      : '';
  const target = `${path}?${isList ? `service=${service}&` : ''}id=/r/${id}${strayInTarget}`;
  const own = values.inside(partIndex(CREDENTIAL.forge, 'value'));
  const others = plan.other === partIndex(CREDENTIAL.forge, 'value') ? 0 : plan.other;
  const headersWith = (secret: string): Pairs => {
    const basic = (password: string): string =>
      `Basic ${Buffer.from(`x-access-token:${password}`).toString('base64')}`;
    const login =
      plan.login === 'basic'
        ? basic(secret)
        : plan.login === 'bearer'
          ? `Bearer ${secret}`
          : plan.login === 'other'
            ? basic(values.inside(others))
            : undefined;
    return [
      ['x-id', id],
      ['user-agent', 'git/2.47'],
      ['git-protocol', 'version=2'],
      ...(login === undefined ? [] : [['authorization', login] as const]),
      ...(hasBody ? [['content-type', `application/x-${service}-request`] as const] : []),
      ...(hasBody && plan.coding !== '' ? [['content-encoding', plan.coding] as const] : []),
      ...(plan.stray?.place === 'header'
        ? [['x-note', `a ${strayAt(plan.stray, 'header', values)} b`] as const]
        : []),
      ...(plan.stray?.place === 'cookie'
        ? [['cookie', `c=${strayAt(plan.stray, 'cookie', values)}`] as const]
        : []),
    ];
  };
  const said =
    plan.stray !== undefined &&
    (hasBody || (plan.stray.place !== 'body' && plan.stray.place !== 'trailer'));
  const may = mayGo(plan, strayText !== '');
  const loggedIn = plan.login === 'basic' || plan.login === 'bearer';
  return {
    id,
    place,
    expected: !may || said || plan.login === 'other' ? 'denied' : 'allowed',
    // What git's rules refuse has nothing to do at its server, not even in part.
    untouched: !may,
    credential: loggedIn ? `cred-${String(CREDENTIAL.forge)}` : undefined,
    method: hasBody ? plan.method : 'GET',
    target,
    authority: PLACES[place],
    headers: headersWith(own),
    body: hasBody ? body : Buffer.alloc(0),
    ...framed(plan, hasBody, strayAt(plan.stray, 'trailer', values)),
    wrongIn: (got) => [
      ...same(`the target of ${id}`, got.target, target),
      ...same(
        `the headers of ${id}`,
        comparable(got.headers),
        comparable(headersWith(values.outside(partIndex(CREDENTIAL.forge, 'value')))),
      ),
      ...same(
        `the body of ${id}`,
        got.body.toString('latin1'),
        hasBody ? body.toString('latin1') : '',
      ),
    ],
    script: (got) => scriptOf(plan.answer, got, values, TYPES[act]),
  };
};
