import { CredentialKind, MAX_SECRET_CHARS } from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import type { GrantPart } from './grant-part.ts';
import type { InjectionSite } from './injection-site.ts';
import { GENERIC_SHAPES, header, KINDS, type KindInfo, type SecretShape } from './kind-table.ts';
import { parseAwsSecret, parseOauthSecret, parseServiceAccount } from './secret-form.ts';

/** Fewest characters of a secret: shorter ones could not be told from ordinary text in an answer. */
export const MIN_SECRET_CHARS = 8;

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

/** Parameters that frame or change a request, in a query as in a form. */
const NEVER_A_FIELD = new Set(['_method']);

const placed = (kind: string, title: string, site: InjectionSite): Result<KindInfo> =>
  ok({ kind, title, hosts: [], sites: [site], env: [], shapes: GENERIC_SHAPES });

/** The facts of a kind: a provider's (`anthropic` … `postgres`), or where it is put (`header:NAME`, `query:NAME` …). */
export const kindInfo = (kind: string): Result<KindInfo> => {
  const known = Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
  if (known !== undefined) return ok(known);
  if (!CredentialKind.safeParse(kind).success) {
    return fail('credential.bad-value', 'There is no such kind of credential.');
  }
  const colon = kind.indexOf(':');
  const place = kind.slice(0, colon);
  const name = kind.slice(colon + 1);
  switch (place) {
    case 'header': {
      const field = name.toLowerCase();
      if (NEVER_A_CREDENTIAL.has(field)) {
        return fail('credential.bad-value', `The header ${field} can carry no credential.`);
      }
      // `header:Authorization` takes the whole value, whatever its scheme.
      return placed(kind, `Header ${field}`, header(field));
    }
    case 'query':
    case 'form':
      if (NEVER_A_FIELD.has(name.toLowerCase())) {
        return fail('credential.bad-value', `The field ${name} can carry no credential.`);
      }
      return place === 'query'
        ? placed(kind, `Query parameter ${name}`, { type: 'query', name })
        : placed(kind, `Form field ${name}`, { type: 'form', name });
    case 'path':
      return placed(kind, `Path segment behind ${name}`, { type: 'path', prefix: name });
    case 'json':
      return placed(kind, `JSON field ${name}`, { type: 'json', pointer: name });
    default:
      return fail('credential.bad-value', 'There is no such kind of credential.');
  }
};

/** All kinds with facts of their own, for lists; those that name a place are not among them. */
export const KIND_LIST: readonly KindInfo[] = Object.values(KINDS);

/**
 * Whether anything inside gets hold of a credential's placeholder: by the variable that the user named,
 * by one of the kind's own, or in the kind's file. False for a kind that does not exist.
 */
export const isFoundInside = (kind: string, env: string | undefined): boolean => {
  const info = kindInfo(kind);
  if (!info.ok) return false;
  return env !== undefined || info.value.env.length > 0 || info.value.file === true;
};

/** Which public shape a secret has, by its prefix or its form. */
export const shapeOf = (kind: string, secret: string): SecretShape => {
  const info = kindInfo(kind);
  if (!info.ok) return 'usual';
  if (kind === 'aws') {
    const pair = parseAwsSecret(secret);
    return pair.ok && pair.value.sessionToken !== undefined ? 'session' : 'usual';
  }
  if (kind === 'oauth-refresh') {
    const client = parseOauthSecret(secret);
    return client.ok && client.value.clientSecret !== undefined ? 'confidential' : 'usual';
  }
  const { oauth, 'fine-grained': fineGrained } = info.value.shapes;
  if (oauth !== undefined && secret.startsWith(oauth.prefix)) return 'oauth';
  if (fineGrained !== undefined && secret.startsWith(fineGrained.prefix)) return 'fine-grained';
  return 'usual';
};

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

/**
 * Fresh placeholders for each part of a credential of this shape, first part first. `env` replaces the
 * variables of the first part.
 */
export const mintParts = (
  info: KindInfo,
  shape: SecretShape,
  env: string | undefined,
): readonly GrantPart[] => {
  const chosen = info.shapes[shape] ?? info.shapes.usual;
  return [
    {
      name: info.part ?? 'value',
      placeholder: mintPlaceholder(info.kind, shape),
      env: env === undefined ? (chosen?.env ?? info.env) : [env],
    },
    ...(chosen?.further ?? []).map((part) => ({
      name: part.name,
      placeholder: part.mint(),
      env: part.env,
    })),
  ];
};

const bad = (why: string, hint?: string): Result<void> =>
  fail('credential.bad-value', `The secret ${why}.`, hint);

/** Secrets of several fields are judged by their own parsers, line breaks and all. */
const parseStructured = (kind: string, secret: string): Result<unknown> | undefined => {
  switch (kind) {
    case 'aws':
      return parseAwsSecret(secret);
    case 'oauth-refresh':
      return parseOauthSecret(secret);
    case 'google-service-account':
      return parseServiceAccount(secret);
    default:
      return undefined;
  }
};

/**
 * Whether a secret can be sent as it is. Nothing is trimmed or mended: a stray newline is the
 * user's to remove. `basic`, `postgres` and body secrets may hold any printable text, the others visible ASCII.
 */
export const checkSecret = (kind: string, secret: string): Result<void> => {
  const info = kindInfo(kind);
  if (!info.ok) return info;
  if (secret === '') return bad('is empty');
  if (secret.length > MAX_SECRET_CHARS) return bad(`is longer than ${MAX_SECRET_CHARS} characters`);
  const structured = parseStructured(kind, secret);
  if (structured !== undefined) return structured.ok ? ok(undefined) : structured;
  if (/[\r\n]$/.test(secret)) return bad('ends with a line break', 'Give it without one.');
  if (secret !== secret.trim()) return bad('begins or ends with a space');
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(secret))
    return bad('has line breaks or control characters in it');
  if (secret.length < MIN_SECRET_CHARS)
    return bad(`is shorter than ${MIN_SECRET_CHARS} characters`);
  const inHeader = info.value.sites.some(({ type }) => type === 'header');
  const inToken = info.value.sites.some(({ type }) => type === 'authorization');
  if (inToken && !/^[\x21-\x7e]+$/.test(secret))
    return bad('has spaces or non-ASCII characters in it');
  if (inHeader && !/^[\x20-\x7e]+$/.test(secret)) return bad('has non-ASCII characters in it');
  return ok(undefined);
};
