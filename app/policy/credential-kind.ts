import { CredentialKind, MAX_SECRET_CHARS } from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import type { InjectionSite } from './injection-site.ts';
import { BASE62, checksummed, randomText, URL_SAFE } from './random-text.ts';

/** Fewest characters of a secret: shorter ones could not be told from ordinary text in an answer. */
export const MIN_SECRET_CHARS = 8;

/**
 * The public form of a secret, told by its well-known prefix: `usual` for the kind, `oauth` for a
 * sign-in token, `fine-grained` for GitHub's newer tokens. Carries nothing of the secret itself.
 */
export type SecretShape = 'usual' | 'oauth' | 'fine-grained';

type Shape = {
  /** How a secret of this shape begins. */
  readonly prefix: string;
  readonly mint: () => string;
  /** Variables that hold it where they differ from the kind's. */
  readonly env?: readonly string[];
};

/** What is known of one kind of credential. */
export type KindInfo = {
  readonly kind: string;
  readonly title: string;
  /** Host rules it may be granted for by default; none for generic kinds. */
  readonly hosts: readonly string[];
  readonly sites: readonly InjectionSite[];
  /** Variables that hold the placeholder inside, where the user names none. */
  readonly env: readonly string[];
  readonly shapes: Partial<Readonly<Record<SecretShape, Shape>>>;
};

const authorization: InjectionSite = { type: 'authorization' };
const basic: InjectionSite = { type: 'basic' };
const header = (name: string): InjectionSite => ({ type: 'header', name });

const generic: KindInfo['shapes'] = {
  usual: { prefix: '', mint: () => `glovebox-${randomText(BASE62, 40)}` },
};

const KINDS: Readonly<Record<string, KindInfo>> = {
  anthropic: {
    kind: 'anthropic',
    title: 'Anthropic',
    hosts: ['api.anthropic.com:443'],
    sites: [header('x-api-key'), authorization],
    env: ['ANTHROPIC_API_KEY'],
    shapes: {
      usual: { prefix: 'sk-ant-api', mint: () => `sk-ant-api03-${randomText(URL_SAFE, 93)}AA` },
      oauth: {
        prefix: 'sk-ant-oat',
        mint: () => `sk-ant-oat01-${randomText(URL_SAFE, 93)}AA`,
        env: ['CLAUDE_CODE_OAUTH_TOKEN'],
      },
    },
  },
  openai: {
    kind: 'openai',
    title: 'OpenAI',
    hosts: ['api.openai.com:443'],
    sites: [authorization],
    env: ['OPENAI_API_KEY'],
    shapes: {
      usual: {
        prefix: 'sk-',
        mint: () => `sk-proj-${randomText(URL_SAFE, 74)}T3BlbkFJ${randomText(URL_SAFE, 74)}`,
      },
    },
  },
  gemini: {
    kind: 'gemini',
    title: 'Google Gemini',
    hosts: ['generativelanguage.googleapis.com:443'],
    sites: [header('x-goog-api-key')],
    env: ['GEMINI_API_KEY'],
    shapes: { usual: { prefix: 'AIza', mint: () => `AIza${randomText(URL_SAFE, 35)}` } },
  },
  github: {
    kind: 'github',
    title: 'GitHub',
    hosts: [
      'api.github.com:443',
      'github.com:443',
      'uploads.github.com:443',
      'raw.githubusercontent.com:443',
    ],
    sites: [authorization, basic],
    env: ['GITHUB_TOKEN', 'GH_TOKEN'],
    shapes: {
      usual: { prefix: 'ghp_', mint: () => checksummed('ghp_') },
      'fine-grained': {
        prefix: 'github_pat_',
        mint: () => `github_pat_${randomText(BASE62, 22)}_${randomText(BASE62, 59)}`,
      },
    },
  },
  npm: {
    kind: 'npm',
    title: 'npm',
    hosts: ['*.npmjs.org:443'],
    sites: [authorization],
    env: ['NPM_TOKEN'],
    shapes: { usual: { prefix: 'npm_', mint: () => checksummed('npm_') } },
  },
  bearer: {
    kind: 'bearer',
    title: 'Bearer token',
    hosts: [],
    sites: [authorization],
    env: [],
    shapes: generic,
  },
  basic: {
    kind: 'basic',
    title: 'Basic password',
    hosts: [],
    sites: [basic],
    env: [],
    shapes: generic,
  },
};

/** Headers that frame or route a request: a credential in one of them would be a way around the broker. */
const NEVER_A_CREDENTIAL = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The facts of a kind: `anthropic` … `npm`, `bearer`, `basic`, `header:NAME`. */
export const kindInfo = (kind: string): Result<KindInfo> => {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (known !== undefined) return ok(known);
  if (!CredentialKind.safeParse(kind).success) {
    return fail('credential.bad-value', 'There is no such kind of credential.');
  }
  const name = kind.slice('header:'.length).toLowerCase();
  if (NEVER_A_CREDENTIAL.has(name)) {
    return fail('credential.bad-value', `The header ${name} can carry no credential.`);
  }
  // `header:Authorization` takes the whole value, whatever its scheme.
  return ok({
    kind,
    title: `Header ${name}`,
    hosts: [],
    sites: [header(name)],
    env: [],
    shapes: generic,
  });
};

/** All kinds with facts of their own, for lists; `header:NAME` is not among them. */
export const KIND_LIST: readonly KindInfo[] = Object.values(KINDS);

/** Which public shape a secret has, by its prefix alone. */
export const shapeOf = (kind: string, secret: string): SecretShape => {
  const info = kindInfo(kind);
  if (!info.ok) return 'usual';
  const { oauth, 'fine-grained': fineGrained } = info.value.shapes;
  if (oauth !== undefined && secret.startsWith(oauth.prefix)) return 'oauth';
  if (fineGrained !== undefined && secret.startsWith(fineGrained.prefix)) return 'fine-grained';
  return 'usual';
};

/** The variables that hold a placeholder of this shape. */
export const variablesOf = (info: KindInfo, shape: SecretShape): readonly string[] =>
  info.shapes[shape]?.env ?? info.env;

/**
 * A fresh placeholder in the kind's own shape, so that checks inside take it for real. From the
 * system's randomness only, at least 128 bits of it; only characters that headers, URLs, shells and
 * environment variables leave as they are. Throws for a kind that does not exist.
 */
export const mintPlaceholder = (kind: string, shape: SecretShape = 'usual'): string => {
  const info = kindInfo(kind);
  const chosen = info.ok ? (info.value.shapes[shape] ?? info.value.shapes.usual) : undefined;
  if (chosen === undefined) throw new Error('a placeholder was asked for an unknown kind');
  return chosen.mint();
};

const bad = (why: string, hint?: string): Result<void> =>
  fail('credential.bad-value', `The secret ${why}.`, hint);

/**
 * Whether a secret can be sent as it is. Nothing is trimmed or mended: a stray newline is the
 * user's to remove. `basic` secrets may hold any printable text, the others visible ASCII.
 */
export const checkSecret = (kind: string, secret: string): Result<void> => {
  const info = kindInfo(kind);
  if (!info.ok) return info;
  if (secret === '') return bad('is empty');
  if (/[\r\n]$/.test(secret)) return bad('ends with a line break', 'Give it without one.');
  if (secret !== secret.trim()) return bad('begins or ends with a space');
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(secret))
    return bad('has line breaks or control characters in it');
  if (secret.length < MIN_SECRET_CHARS)
    return bad(`is shorter than ${MIN_SECRET_CHARS} characters`);
  if (secret.length > MAX_SECRET_CHARS) return bad(`is longer than ${MAX_SECRET_CHARS} characters`);
  const inHeader = info.value.sites.some(({ type }) => type === 'header');
  const inToken = info.value.sites.some(({ type }) => type === 'authorization');
  if (inToken && !/^[\x21-\x7e]+$/.test(secret))
    return bad('has spaces or non-ASCII characters in it');
  if (inHeader && !/^[\x20-\x7e]+$/.test(secret)) return bad('has non-ASCII characters in it');
  return ok(undefined);
};
