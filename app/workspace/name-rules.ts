import { assertNever } from '../kit/index.ts';

/**
 * Which files are hidden by their name. Pure. Names are compared without case, because assistants and
 * their tools do not care either: `.ENV` holds the same secrets.
 */
export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

/** `hide`: hidden outright; `read`: hidden if its content holds what the rule says. */
export type NameVerdict =
  | { readonly type: 'hide'; readonly rule: string }
  | { readonly type: 'read'; readonly test: ContentTest; readonly rule: string }
  | undefined;

/** What a file that is judged by name and content together must hold to be hidden. */
export type ContentTest = 'private-key' | 'assignment' | 'service-account' | 'password' | 'token';

/** Endings that say: this is the file without its secrets. */
const ENV_KIN = new Set([
  'example',
  'examples',
  'sample',
  'samples',
  'template',
  'tmpl',
  'tpl',
  'dist',
  'default',
  'defaults',
  'schema',
  'spec',
  'd.ts',
]);

const isEnvKin = (name: string): boolean => {
  const parts = name.split('.');
  return ENV_KIN.has(parts.at(-1) ?? '') || ENV_KIN.has(parts.slice(-2).join('.'));
};

const CLOUD = 'cloud credentials';
const REGISTRY = 'package registry credentials';
const KEYS = 'private keys';

/** Whole names of files. */
const FILE_NAMES: ReadonlyMap<string, string> = new Map([
  ...['.npmrc', '.pypirc', '.yarnrc.local'].map((n): [string, string] => [n, REGISTRY]),
  ...['.netrc', '_netrc', '.git-credentials', '.pgpass', '.my.cnf', '.mylogin.cnf'].map(
    (n): [string, string] => [n, 'stored passwords'],
  ),
  ...[
    'id_rsa',
    'id_dsa',
    'id_ecdsa',
    'id_ed25519',
    'id_ecdsa_sk',
    'id_ed25519_sk',
    'identity.pem',
  ].map((n): [string, string] => [n, KEYS]),
  ...[
    'application_default_credentials.json',
    'credentials.tfrc.json',
    '.terraformrc',
    '.boto',
    '.s3cfg',
    '.dockercfg',
    '.databrickscfg',
    '.vault-token',
    'accesstokens.json',
    'azureprofile.json',
    'client_secret.json',
    'oauth_creds.json',
    '.credentials.json',
  ].map((n): [string, string] => [n, CLOUD]),
  ['kubeconfig', 'cluster credentials'],
  ['.htpasswd', 'stored passwords'],
  ['.docker-credentials', CLOUD],
  ['terraform.tfstate', 'Terraform state'],
  ['terraform.tfstate.backup', 'Terraform state'],
]);

/** Whole names of folders (or links to them). */
const FOLDER_NAMES: ReadonlyMap<string, string> = new Map([
  ['.aws', CLOUD],
  ['.azure', CLOUD],
  ['.oci', CLOUD],
  ['.ssh', 'SSH keys'],
  ['.gnupg', 'GnuPG keys'],
  ['.password-store', 'stored passwords'],
]);

/** Names that count only below a folder of the given name. */
const NESTED: ReadonlyMap<string, string> = new Map([
  ['.config/gcloud', CLOUD],
  ['.kube/config', 'cluster credentials'],
  ['.docker/config.json', 'container registry credentials'],
  ['.cargo/credentials', REGISTRY],
  ['.cargo/credentials.toml', REGISTRY],
  ['.gem/credentials', REGISTRY],
  ['.composer/auth.json', REGISTRY],
  ['.config/hub', 'GitHub credentials'],
  ['gh/hosts.yml', 'GitHub credentials'],
  ['.codex/auth.json', 'assistant credentials'],
  ['opencode/auth.json', 'assistant credentials'],
  ['.huggingface/token', 'assistant credentials'],
  ['.git/credentials', 'stored passwords'],
]);

const KEY_STORES = /\.(?:p12|pfx|jks|keystore|ppk|bcfks|kdbx|agekey)$/;
const PEM_LIKE = /\.(?:pem|key|p8|pkcs8|priv|asc|gpg|der)$/;

/** Judges one entry by its name and its folder's name. `path` is relative to the project. */
export const judgeName = (path: string, kind: EntryKind): NameVerdict => {
  const parts = path.toLowerCase().split('/');
  const name = parts.at(-1) ?? '';
  const link = kind === 'symlink';

  const nested = NESTED.get(parts.slice(-2).join('/'));
  if (nested !== undefined) return { type: 'hide', rule: nested };

  if (kind === 'directory' || link) {
    const folder = FOLDER_NAMES.get(name);
    if (folder !== undefined) return { type: 'hide', rule: folder };
  }
  if (name === '.env' || (name.startsWith('.env.') && !isEnvKin(name))) {
    return { type: 'hide', rule: '.env files' };
  }
  if (kind === 'directory') return undefined;

  const whole = FILE_NAMES.get(name);
  if (whole !== undefined) return { type: 'hide', rule: whole };
  if (KEY_STORES.test(name)) return { type: 'hide', rule: 'key stores' };
  if (/^terraform\.tfstate\..*/.test(name) || name.endsWith('.tfstate')) {
    return { type: 'hide', rule: 'Terraform state' };
  }
  if (name.startsWith('kubeconfig') || name.endsWith('.kubeconfig')) {
    return { type: 'hide', rule: 'cluster credentials' };
  }
  if (link) return undefined;

  if (PEM_LIKE.test(name) || /^id_[a-z0-9_-]+$/.test(name)) {
    return { type: 'read', test: 'private-key', rule: 'private key inside' };
  }
  if (
    name === '.envrc' ||
    (name.endsWith('.env') && !/^(?:example|sample|template)\b/.test(name))
  ) {
    return { type: 'read', test: 'assignment', rule: 'secrets set inside' };
  }
  if (name.endsWith('.tfvars') || name.endsWith('.tfvars.json')) {
    return { type: 'read', test: 'assignment', rule: 'secrets set inside' };
  }
  if (name === '.yarnrc.yml' || name === '.yarnrc') {
    return { type: 'read', test: 'token', rule: REGISTRY };
  }
  if (name === 'credentials' || name === 'credentials.json' || name === 'auth.json') {
    return { type: 'read', test: 'token', rule: CLOUD };
  }
  if (name.endsWith('.json') && /(?:service|account|credential|key|gcp|firebase|sa)/.test(name)) {
    return { type: 'read', test: 'service-account', rule: 'service account key inside' };
  }
  if ((name === 'settings.xml' && parts.at(-2) === '.m2') || name === 'gradle.properties') {
    return { type: 'read', test: 'password', rule: REGISTRY };
  }
  return undefined;
};

const PRIVATE_KEY = /-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----/;
const SERVICE_ACCOUNT = /"type"\s*:\s*"(?:service_account|authorized_user|external_account)"/;
const SECRET_KEY =
  /(?:passw(?:or)?d|passphrase|secret|token|api_?key|private_?key|access_?key|credential|auth)/i;
const PLACEHOLDER_VALUE =
  /^(?:x{3,}|\*+|\.{3}|none|null|true|false|todo|changeme|change[-_]me|example|placeholder|dummy|test|secret|password|your[-_ ].*|<.*>|.*example.*)$/i;
const ASSIGNMENT =
  /^[\t ]*(?:export[\t ]+)?["']?([\w.:/@-]+)["']?[\t ]*[:=][\t ]*["']?([^\s"',#]+)/gm;

/** Whether a line gives a secret-like name a real value (not a reference, not a placeholder). */
const assignsSecret = (text: string, key: RegExp): boolean => {
  for (const match of text.matchAll(ASSIGNMENT)) {
    const [, name = '', value = ''] = match;
    if (!key.test(name) || value.length < 4) continue;
    if (/^[$`(]|^\{\{/.test(value) || PLACEHOLDER_VALUE.test(value)) continue;
    return true;
  }
  return false;
};

/** Decides a `read` verdict on the file's text. */
export const holds = (test: ContentTest, text: string): boolean => {
  switch (test) {
    case 'private-key':
      return PRIVATE_KEY.test(text);
    case 'assignment':
      return PRIVATE_KEY.test(text) || assignsSecret(text, SECRET_KEY);
    case 'service-account':
      return SERVICE_ACCOUNT.test(text) || PRIVATE_KEY.test(text.replaceAll('\\n', '\n'));
    case 'token':
      return (
        SERVICE_ACCOUNT.test(text) || PRIVATE_KEY.test(text) || assignsSecret(text, SECRET_KEY)
      );
    case 'password':
      return /<password>[^<${]+<\/password>/i.test(text) || assignsSecret(text, SECRET_KEY);
    default:
      return assertNever(test, 'content test');
  }
};
