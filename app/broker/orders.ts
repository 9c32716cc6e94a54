import {
  APPROVAL_ANSWERS,
  APPROVAL_SCOPES,
  MAX_ANCESTORS,
  MAX_HOST_CHARS,
  MAX_MESSAGE_CHARS,
  MAX_NAME_CHARS,
  MAX_PORT,
  MAX_PROGRAM_ARGUMENT_CHARS,
  MAX_PROGRAM_ARGUMENTS,
  MAX_QUESTION_ID_CHARS,
  MAX_SECRET_CHARS,
  NAME,
  QUESTION_ID,
} from '../contract/bounds.ts';
import type { ApprovalAnswer, ApprovalScope, Program, QuestionId } from '../contract/index.ts';
import {
  choiceSchema,
  flagSchema,
  integerSchema,
  listSchema,
  objectSchema,
  optionalSchema,
  parsedSchema,
  textSchema,
  variantSchema,
  type Schema,
} from '../kit/index.ts';
import {
  MAX_PATH_PATTERN_CHARS,
  parseGitRule,
  parseHost,
  parsePathPattern,
} from '../policy/enforce.ts';
import type {
  CredentialGrant,
  GitRule,
  HostRule,
  InjectionSite,
  NamedRule,
  NetworkPolicy,
} from '../policy/index.ts';
import {
  MAX_FINGERPRINTS,
  MAX_MOVES_CHARS,
  MAX_WATCHED_VALUES,
  WATCH_WINDOW_BYTES,
  type WatchSet,
} from './fingerprint.ts';

/** Most characters of one PEM text handed to the broker process. */
export const MAX_PEM_CHARS = 4 * 1024 * 1024;
/** Most rules of one sort. */
export const MAX_RULES = 4096;

/** All that the broker process knows. Travels over IPC only: never an argument, never a variable. */
export type ProcessSpec = {
  readonly linkFolder: string;
  readonly network: NetworkPolicy;
  readonly credentials: readonly { readonly grant: CredentialGrant; readonly secret: string }[];
  readonly watch?: WatchSet | undefined;
  /** Every authority trusted upstream, PEM. */
  readonly upstreamAuthorities: readonly string[];
  readonly authority: { readonly certificatePem: string; readonly privateKeyPem: string };
};

/** The same as the host sends it: a git rule travels as its words. */
export type SentSpec = Omit<ProcessSpec, 'network'> & {
  readonly network: Omit<NetworkPolicy, 'git'> & { readonly git: readonly string[] };
};

type Order<Spec> =
  | { readonly type: 'start'; readonly spec: Spec }
  | { readonly type: 'program'; readonly id: number; readonly program?: Program | undefined }
  /** The answer to what the process asked under this id, and to nothing else. */
  | {
      readonly type: 'answer';
      readonly id: QuestionId;
      readonly answer: ApprovalAnswer;
      readonly scope: ApprovalScope;
    }
  /** Records up to `batch` have been taken; the next batch may come. */
  | { readonly type: 'taken' }
  | { readonly type: 'watch'; readonly set: WatchSet }
  | { readonly type: 'close' };

/** Host to broker process. */
export type ToProcess = Order<ProcessSpec>;
export type SentToProcess = Order<SentSpec>;

const port = integerSchema(1, MAX_PORT);
const address = textSchema({ max: 64 });
const words = textSchema({ max: MAX_MESSAGE_CHARS });
const name = textSchema({ min: 1, max: MAX_NAME_CHARS, pattern: NAME });

const hostRule = objectSchema<HostRule>({
  type: choiceSchema(['exact', 'suffix']),
  host: parsedSchema(textSchema({ max: MAX_HOST_CHARS }), 'a canonical host', (text) => {
    const host = parseHost(text);
    return host.ok && host.value === text ? host.value : undefined;
  }),
  port: optionalSchema(port),
});
const namedRules: Schema<readonly NamedRule[]> = listSchema(
  objectSchema<NamedRule>({
    rule: hostRule,
    words,
    by: choiceSchema(['user', 'preset', 'grant']),
  }),
  { max: MAX_RULES },
);
/** A rule is read by its own parser on both sides. */
const gitRule: Schema<GitRule> = parsedSchema(words, 'a git rule', (text) => {
  const rule = parseGitRule(text);
  return rule.ok ? rule.value : undefined;
});
const network = objectSchema<NetworkPolicy>({
  default: choiceSchema(['deny', 'ask', 'allow']),
  allow: namedRules,
  deny: namedRules,
  passThrough: namedRules,
  git: listSchema(gitRule, { max: MAX_RULES }),
  resolve: listSchema(
    objectSchema<NetworkPolicy['resolve'][number]>({
      host: textSchema({ max: MAX_HOST_CHARS }),
      port,
      address,
      addressPort: port,
    }),
    { max: 1024 },
  ),
  dns: optionalSchema(objectSchema<{ address: string; port: number }>({ address, port })),
});

const siteText = textSchema({ max: 256 });
const siteName = textSchema({ min: 1, max: 256 });
const site = variantSchema<InjectionSite>({
  header: { name: textSchema({ max: 128 }) },
  authorization: {},
  basic: {},
  query: { name: siteName },
  path: { prefix: siteText },
  json: { pointer: siteText },
  form: { name: siteName },
  'aws-sigv4': {},
  'oauth-refresh': {},
  'google-service-account': {},
  postgres: {},
});
const placeholder = textSchema({ min: 16, max: MAX_SECRET_CHARS });
const variables = listSchema(textSchema({ max: 128 }), { max: 32 });
const pathPattern = parsedSchema(
  textSchema({ max: MAX_PATH_PATTERN_CHARS }),
  'a path pattern',
  (text) => {
    const pattern = parsePathPattern(text);
    return pattern.ok ? pattern.value : undefined;
  },
);
const grant = objectSchema<CredentialGrant>({
  credential: name,
  kind: textSchema({ max: 128 }),
  hosts: listSchema(hostRule, { max: 256 }),
  sites: listSchema(site, { max: 32 }),
  scope: objectSchema<CredentialGrant['scope']>({
    methods: optionalSchema(listSchema(textSchema({ max: 32 }), { max: 64 })),
    paths: optionalSchema(listSchema(pathPattern, { max: 64 })),
  }),
  placeholder,
  env: variables,
  parts: listSchema(
    objectSchema<CredentialGrant['parts'][number]>({
      name: textSchema({ max: 64 }),
      placeholder,
      env: variables,
    }),
    { min: 1, max: 8 },
  ),
  files: listSchema(
    objectSchema<CredentialGrant['files'][number]>({
      name: textSchema({ max: 128 }),
      content: textSchema({ max: MAX_SECRET_CHARS }),
      env: variables,
    }),
    { max: 8 },
  ),
});

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const base64 = (min: number, max: number): Schema<string> =>
  textSchema({ min, max, pattern: BASE64 });
/** What to watch for: hashes alone, never a value. */
const watchSet = objectSchema<WatchSet>({
  key: base64(44, 44),
  owners: listSchema(
    objectSchema<WatchSet['owners'][number]>({
      code: choiceSchema(['watch.hidden-value', 'watch.other-credential']),
      words: textSchema({ min: 1, max: MAX_MESSAGE_CHARS }),
      granted: optionalSchema(listSchema(name, { max: 256 })),
    }),
    { max: MAX_WATCHED_VALUES },
  ),
  prints: listSchema(
    objectSchema<WatchSet['prints'][number]>({
      owner: integerSchema(0, MAX_WATCHED_VALUES - 1),
      window: integerSchema(0, 0xffff_ffff),
      bytes: integerSchema(WATCH_WINDOW_BYTES, 4096),
      check: base64(24, 24),
      wraps: flagSchema,
      name: flagSchema,
    }),
    { max: MAX_FINGERPRINTS },
  ),
  marks: textSchema({ max: 256 }),
  moves: base64(0, MAX_MOVES_CHARS),
});

const secretText = textSchema({ min: 1, max: MAX_SECRET_CHARS });
const pem = textSchema({ max: MAX_PEM_CHARS });
const processSpec = objectSchema<ProcessSpec>({
  linkFolder: textSchema({ min: 1, max: 4096 }),
  network,
  credentials: listSchema(
    objectSchema<ProcessSpec['credentials'][number]>({ grant, secret: secretText }),
    { max: 256 },
  ),
  watch: optionalSchema(watchSet),
  upstreamAuthorities: listSchema(pem, { max: 2048 }),
  authority: objectSchema<ProcessSpec['authority']>({ certificatePem: pem, privateKeyPem: pem }),
});

const commandLine = listSchema(textSchema({ max: MAX_PROGRAM_ARGUMENT_CHARS }), {
  max: MAX_PROGRAM_ARGUMENTS,
});
const program = objectSchema<Program>({
  pid: integerSchema(0, Number.MAX_SAFE_INTEGER),
  command: commandLine,
  ancestors: optionalSchema(listSchema(commandLine, { max: MAX_ANCESTORS })),
});

/**
 * Reads what the host sends to its broker process: a `SchemaError` for anything else, which names the
 * place and never what stands there.
 */
export const readOrder: Schema<ToProcess> = variantSchema<ToProcess>({
  start: { spec: processSpec },
  program: { id: integerSchema(0, Number.MAX_SAFE_INTEGER), program: optionalSchema(program) },
  answer: {
    id: textSchema({ max: MAX_QUESTION_ID_CHARS, pattern: QUESTION_ID }),
    answer: choiceSchema(APPROVAL_ANSWERS),
    scope: choiceSchema(APPROVAL_SCOPES),
  },
  taken: {},
  watch: { set: watchSet },
  close: {},
});
