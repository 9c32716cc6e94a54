import { generateKeyPairSync } from 'node:crypto';

/** The destinations of the mediated trials, by what they are. */
export const PLACES = {
  /** The pair of credential 0, HTTP/2. */
  s3: 's3.aws.test',
  /** The same pair, HTTP/1.1. */
  sqs: 'sqs.aws.test',
  /** The temporary pair of credential 1. */
  sts: 'sts.aws.test',
  /** A pair that is granted for two methods and some paths. */
  narrow: 'narrow.aws.test',
  /** The token endpoint of two refresh tokens. */
  auth: 'auth.test',
  /** The token endpoint of the service account, HTTP/1.1. */
  accounts: 'accounts.test',
  /** Where what the refresh tokens bring is good. */
  api: 'api.test',
  /** Where what the service account brings is good. */
  pub: 'pub.google.test',
  forge: 'forge.test',
  /** The same credential and rules, HTTP/1.1. */
  oldForge: 'old-forge.test',
  /** Allowed, and nothing is granted for it. */
  bare: 'bare.test',
  denied: 'denied.test',
} as const;
export type PlaceKey = keyof typeof PLACES;

/** PostgreSQL's servers. */
export const DATABASES = {
  /** Speaks TLS. */
  sealed: 'sealed-db.test',
  /** Does not, but its address is named. */
  open: 'open-db.test',
  /** Has a credential of its own. */
  other: 'other-db.test',
  /** Granted, but no rule lets it be reached. */
  denied: 'denied-db.test',
  /** Granted and allowed, but its resolver says private addresses. */
  rebinding: 'rebinding-db.test',
} as const;
export type DatabaseKey = keyof typeof DATABASES;
export const DATABASE_PORT = 5432;

const PAIR = {
  accessKeyId: 'AKIAREALREALREALREAL',
  secretAccessKey: 'pair0/real+REALrealREALrealREALrealREAL1',
};
const TEMPORARY_PAIR = {
  accessKeyId: 'ASIAOTHEROTHEROTHER2',
  secretAccessKey: 'pair1/temp+TEMPtempTEMPtempTEMPtempTEMP2',
  sessionToken: `IQoJreal${'sessionTOKEN/0123456789+'.repeat(6)}`,
};
const NARROW_PAIR = {
  accessKeyId: 'AKIANARROWNARROWNAR3',
  secretAccessKey: 'pair2/thin+THINthinTHINthinTHINthinTHIN3',
};
export type Keys = {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
};
/** The real pairs, by credential. */
export const PAIRS: readonly Keys[] = [PAIR, TEMPORARY_PAIR, NARROW_PAIR];

export const REFRESH_TOKENS = [
  'real-refresh-token/0123456789+first',
  'real-refresh-token/0123456789+other',
] as const;
export const CLIENT_SECRET = 'real-client&secret/0123=%+x';
export const CLIENT_ID = 'my-client';
export const TOKEN_TARGETS = ['/token', '/conf?tenant=1', '/sa/token'] as const;

/** A service account with a key of its own. */
export type Account = {
  readonly email: string;
  readonly keyId: string;
  readonly publicKey: string;
  readonly privateKey: string;
};

export const createAccount = (): Account => ({
  email: 'bot@project.iam.gserviceaccount.com',
  keyId: 'real-key-id-0123456789abcdef',
  ...generateKeyPairSync('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  }),
});
const FORGE_TOKEN = 'ghp_realrealrealrealreal0123456789abcd';
export const PASSWORDS = ['pg/real+"password" 0123456789', "pg/else+'secret' 9876543210"] as const;

const oauth = (at: 0 | 1): string =>
  JSON.stringify({
    token_uri: `https://${PLACES.auth}${TOKEN_TARGETS[at]}`,
    client_id: CLIENT_ID,
    refresh_token: REFRESH_TOKENS[at],
    ...(at === 1 ? { client_secret: CLIENT_SECRET } : {}),
  });

export type HeldGrant = {
  readonly kind: string;
  readonly hosts: readonly string[];
  readonly secret: string;
  readonly methods?: string[];
  readonly paths?: string[];
};
/** Numbers of credentials: their places in what is granted. */
export const CREDENTIAL = {
  pair: 0,
  temporaryPair: 1,
  narrowPair: 2,
  refresh: 3,
  confidential: 4,
  account: 5,
  forge: 6,
  database: 7,
  otherDatabase: 8,
} as const;

const pairText = ({ accessKeyId, secretAccessKey, sessionToken }: Keys): string =>
  [accessKeyId, secretAccessKey, ...(sessionToken === undefined ? [] : [sessionToken])].join(':');

/** What the session is granted. */
export const grantsWith = ({ email, keyId, privateKey }: Account): readonly HeldGrant[] => [
  { kind: 'aws', hosts: [PLACES.s3, PLACES.sqs], secret: pairText(PAIR) },
  { kind: 'aws', hosts: [PLACES.sts], secret: pairText(TEMPORARY_PAIR) },
  {
    kind: 'aws',
    hosts: [PLACES.narrow],
    secret: pairText(NARROW_PAIR),
    methods: ['GET', 'PUT'],
    paths: ['/in/**'],
  },
  { kind: 'oauth-refresh', hosts: [PLACES.api], secret: oauth(0) },
  { kind: 'oauth-refresh', hosts: [PLACES.api], secret: oauth(1) },
  {
    kind: 'google-service-account',
    hosts: [PLACES.pub],
    secret: JSON.stringify({
      type: 'service_account',
      private_key_id: keyId,
      private_key: privateKey,
      client_email: email,
      token_uri: `https://${PLACES.accounts}${TOKEN_TARGETS[2]}`,
    }),
  },
  { kind: 'github', hosts: [PLACES.forge, PLACES.oldForge], secret: FORGE_TOKEN },
  {
    kind: 'postgres',
    hosts: [DATABASES.sealed, DATABASES.open, DATABASES.denied, DATABASES.rebinding],
    secret: PASSWORDS[0],
  },
  { kind: 'postgres', hosts: [DATABASES.other], secret: PASSWORDS[1] },
];

/** One secret value of a credential, and the destinations where it may arrive. */
export type Part = {
  readonly credential: number;
  readonly part: string;
  readonly secret: string;
  readonly at: readonly string[];
};

const partOf = (credential: number, part: string, secret: string, at: readonly string[]): Part => ({
  credential,
  part,
  secret,
  at,
});
const pairParts = (credential: number, keys: Keys, at: readonly string[]): readonly Part[] => [
  partOf(credential, 'access-key-id', keys.accessKeyId, at),
  // The secret half never leaves: it only signs.
  partOf(credential, 'secret-access-key', keys.secretAccessKey, []),
  ...(keys.sessionToken === undefined
    ? []
    : [partOf(credential, 'session-token', keys.sessionToken, at)]),
];
const FIXED_PARTS: readonly Part[] = [
  ...pairParts(CREDENTIAL.pair, PAIR, [PLACES.s3, PLACES.sqs]),
  ...pairParts(CREDENTIAL.temporaryPair, TEMPORARY_PAIR, [PLACES.sts]),
  ...pairParts(CREDENTIAL.narrowPair, NARROW_PAIR, [PLACES.narrow]),
  partOf(CREDENTIAL.refresh, 'refresh-token', REFRESH_TOKENS[0], [PLACES.auth]),
  partOf(CREDENTIAL.confidential, 'refresh-token', REFRESH_TOKENS[1], [PLACES.auth]),
  partOf(CREDENTIAL.confidential, 'client-secret', CLIENT_SECRET, [PLACES.auth]),
  partOf(CREDENTIAL.forge, 'value', FORGE_TOKEN, [PLACES.forge, PLACES.oldForge]),
  partOf(CREDENTIAL.database, 'value', PASSWORDS[0], []),
  partOf(CREDENTIAL.otherDatabase, 'value', PASSWORDS[1], []),
];
/** How many values `partsWith` has. */
export const PART_COUNT = FIXED_PARTS.length + 1;

/** Every secret value of what is granted. */
export const partsWith = ({ privateKey }: Account): readonly Part[] => [
  ...FIXED_PARTS,
  partOf(
    CREDENTIAL.account,
    'private-key-id',
    privateKey.replaceAll(/-----[A-Z ]+-----|\s/g, ''),
    [],
  ),
];
export const WATCHED_VALUE = 'watched/Value+of-another-env-file-012345';

/** The place of a credential's part among `partsWith`. */
export const partIndex = (credential: number, part: string): number =>
  FIXED_PARTS.findIndex((one) => one.credential === credential && one.part === part);
