import type { InjectionSite } from './injection-site.ts';
import { BASE62, checksummed, randomText, URL_SAFE } from './random-text.ts';

/**
 * The public form of a secret: `usual` for the kind, `oauth` for a sign-in token, `fine-grained` for
 * GitHub's newer tokens, `session` for a temporary AWS pair, `confidential` for a refresh token whose
 * client has a secret of its own. Carries nothing of the secret itself.
 */
export type SecretShape = 'usual' | 'oauth' | 'fine-grained' | 'session' | 'confidential';

/** A further value of a credential that has several. */
type FurtherPart = {
  readonly name: string;
  readonly mint: () => string;
  readonly env: readonly string[];
};

/** One public form, and how placeholders of it are made. */
type Shape = {
  /** How a secret of this shape begins. */
  readonly prefix: string;
  readonly mint: () => string;
  /** Variables that hold it where they differ from the kind's. */
  readonly env?: readonly string[];
  /** The parts behind the first. */
  readonly further?: readonly FurtherPart[];
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
  /** Whether a credential file with the placeholders stands inside, whatever the variables. */
  readonly file?: boolean;
  /** What the kind calls the first part of its secret; `value` where there is but one. */
  readonly part?: string;
  /** Port of a host rule that names none, where it is not the web's. */
  readonly port?: number;
  readonly shapes: Partial<Readonly<Record<SecretShape, Shape>>>;
};

const authorization: InjectionSite = { type: 'authorization' };
const basic: InjectionSite = { type: 'basic' };
export const header = (name: string): InjectionSite => ({ type: 'header', name });

const mintGeneric = (): string => `glovebox-${randomText(BASE62, 40)}`;
export const GENERIC_SHAPES: KindInfo['shapes'] = { usual: { prefix: '', mint: mintGeneric } };

const HEX = '0123456789abcdef';
const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
/** AWS writes key ids in base 32 (RFC 4648 6). */
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

const awsSecretKey: FurtherPart = {
  name: 'secret-access-key',
  // Real ones may hold / and + too; these need no escaping anywhere.
  mint: () => randomText(BASE62, 40),
  env: ['AWS_SECRET_ACCESS_KEY'],
};
const awsSessionToken: FurtherPart = {
  name: 'session-token',
  mint: () => `IQoJb3JpZ2luX2Vj${randomText(BASE62, 240)}`,
  env: ['AWS_SESSION_TOKEN'],
};

/** The kinds with facts of their own, by name. */
export const KINDS: Readonly<Record<string, KindInfo>> = {
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
    // Browsers' realtime clients cannot set headers; they name the key as a subprotocol.
    sites: [authorization, header('sec-websocket-protocol')],
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
  openrouter: {
    kind: 'openrouter',
    title: 'OpenRouter',
    hosts: ['openrouter.ai:443'],
    sites: [authorization],
    env: ['OPENROUTER_API_KEY'],
    shapes: { usual: { prefix: 'sk-or-', mint: () => `sk-or-v1-${randomText(HEX, 64)}` } },
  },
  huggingface: {
    kind: 'huggingface',
    title: 'Hugging Face',
    hosts: ['huggingface.co:443', 'router.huggingface.co:443'],
    sites: [authorization, basic],
    env: ['HF_TOKEN'],
    shapes: { usual: { prefix: 'hf_', mint: () => `hf_${randomText(LETTERS, 34)}` } },
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
  gitlab: {
    kind: 'gitlab',
    title: 'GitLab',
    hosts: ['gitlab.com:443'],
    sites: [header('private-token'), authorization, basic],
    env: ['GITLAB_TOKEN'],
    // Real ones have 20 characters at least; two more reach 128 bits.
    shapes: { usual: { prefix: 'glpat-', mint: () => `glpat-${randomText(URL_SAFE, 22)}` } },
  },
  npm: {
    kind: 'npm',
    title: 'npm',
    hosts: ['*.npmjs.org:443'],
    sites: [authorization],
    env: ['NPM_TOKEN'],
    shapes: { usual: { prefix: 'npm_', mint: () => checksummed('npm_') } },
  },
  pypi: {
    kind: 'pypi',
    title: 'PyPI',
    hosts: ['upload.pypi.org:443'],
    sites: [basic],
    env: ['TWINE_PASSWORD', 'UV_PUBLISH_TOKEN'],
    shapes: {
      usual: { prefix: 'pypi-', mint: () => `pypi-AgEIcHlwaS5vcmc${randomText(URL_SAFE, 140)}` },
    },
  },
  cargo: {
    kind: 'cargo',
    title: 'crates.io',
    hosts: ['crates.io:443'],
    // Cargo sends the token bare, without a scheme.
    sites: [header('authorization')],
    env: ['CARGO_REGISTRY_TOKEN'],
    shapes: { usual: { prefix: 'cio', mint: () => `cio${randomText(BASE62, 32)}` } },
  },
  aws: {
    kind: 'aws',
    title: 'AWS key pair',
    // No wildcard of its own: names under amazonaws.com belong to every customer.
    hosts: [],
    sites: [{ type: 'aws-sigv4' }],
    env: ['AWS_ACCESS_KEY_ID'],
    part: 'access-key-id',
    shapes: {
      usual: {
        prefix: '',
        // The id is the public half and has no more room; the secret half has its full length.
        mint: () => `AKIA${randomText(BASE32, 16)}`,
        further: [awsSecretKey],
      },
      session: {
        prefix: '',
        mint: () => `ASIA${randomText(BASE32, 16)}`,
        further: [awsSecretKey, awsSessionToken],
      },
    },
  },
  'google-service-account': {
    kind: 'google-service-account',
    title: 'Google service account',
    hosts: ['*.googleapis.com:443'],
    sites: [{ type: 'google-service-account' }],
    // The placeholder is the key's id in a key file of our own; no variable holds it by itself.
    env: [],
    file: true,
    part: 'private-key-id',
    shapes: { usual: { prefix: '', mint: () => randomText(HEX, 40) } },
  },
  'oauth-refresh': {
    kind: 'oauth-refresh',
    title: 'OAuth refresh token',
    hosts: [],
    sites: [{ type: 'oauth-refresh' }],
    env: [],
    file: true,
    part: 'refresh-token',
    shapes: {
      usual: { prefix: '', mint: mintGeneric },
      confidential: {
        prefix: '',
        mint: mintGeneric,
        further: [{ name: 'client-secret', mint: mintGeneric, env: [] }],
      },
    },
  },
  postgres: {
    kind: 'postgres',
    title: 'PostgreSQL password',
    hosts: [],
    sites: [{ type: 'postgres' }],
    env: ['PGPASSWORD'],
    port: 5432,
    shapes: GENERIC_SHAPES,
  },
  path: {
    kind: 'path',
    title: 'Path segment',
    hosts: [],
    sites: [{ type: 'path', prefix: '' }],
    env: [],
    shapes: GENERIC_SHAPES,
  },
  bearer: {
    kind: 'bearer',
    title: 'Bearer token',
    hosts: [],
    sites: [authorization],
    env: [],
    shapes: GENERIC_SHAPES,
  },
  basic: {
    kind: 'basic',
    title: 'Basic password',
    hosts: [],
    sites: [basic],
    env: [],
    shapes: GENERIC_SHAPES,
  },
};
