import { err, failure, ok, type Result } from '../../../kit/index.ts';
import type { CredentialGrant, InjectionSite } from '../../../policy/index.ts';
import type { HeaderPairs, HeldCredential } from '../request.ts';
import type { BodyGate, JudgedRequest, Released } from '../mediate.ts';
import type { Refusal } from '../refuse.ts';
import { swapField } from './field.ts';
import { findJsonString } from './json-string.ts';
import { methodsInFields, UNKNOWN_METHOD } from './methods.ts';

/** Longest body that is held to put a credential into it or to look for a method in it, in bytes. */
export const MAX_HELD_BODY_BYTES = 8 * 1024 * 1024;

/** What a body is said to be, and whether it can be read as such. */
type BodyForm = {
  readonly type: 'json' | 'form' | 'multipart' | 'other';
  readonly readable: boolean;
};

const formOf = (headers: HeaderPairs): BodyForm => {
  const value = (wanted: string): string =>
    headers.find(([name]) => name.toLowerCase() === wanted)?.[1].toLowerCase() ?? '';
  // What follows a comma or a blank is no part of the type to some servers (Rack, PHP).
  const [type = '', ...parameters] = value('content-type').split(/[;,\s]+/);
  const coding = value('content-encoding');
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  const readable =
    (coding === '' || coding === 'identity') &&
    (charset === undefined || /^charset="?utf-?8"?$/.test(charset));
  switch (type) {
    case 'application/json':
      return { type: 'json', readable };
    // A body that says nothing of itself is a form to some servers (Rack).
    case '':
    case 'application/x-www-form-urlencoded':
      return { type: 'form', readable };
    case 'multipart/form-data':
    // Rack reads fields in these as well.
    case 'multipart/mixed':
    case 'multipart/related':
      return { type: 'multipart', readable };
    default:
      return { type: 'other', readable };
  }
};

/** Latin-1 keeps each byte as one character: what is not touched goes out as it came. */
const swapInForm = (body: Buffer, name: string, held: HeldCredential): Buffer | undefined => {
  const { grant, secret } = held;
  const swapped = swapField(body.toString('latin1'), name, {
    placeholder: grant.placeholder,
    secret,
  });
  return swapped === undefined ? undefined : Buffer.from(swapped.text, 'latin1');
};

const swapInJson = (body: Buffer, pointer: string, held: HeldCredential): Buffer | undefined => {
  const { grant, secret } = held;
  // No client escapes plain letters; a body without the placeholder need not be read at all.
  if (!body.includes(grant.placeholder)) return undefined;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    // No UTF-8, so no JSON (RFC 8259 8.1), and nothing is put into it.
    return undefined;
  }
  const found = findJsonString(text, pointer);
  if (!found.ok || found.value?.value !== grant.placeholder) return undefined;
  const { from, to } = found.value;
  return Buffer.from(`${text.slice(0, from)}${JSON.stringify(secret)}${text.slice(to)}`);
};

const swapAt = (site: InjectionSite, body: Buffer, held: HeldCredential): Buffer | undefined => {
  if (site.type === 'json') return swapInJson(body, site.pointer, held);
  return site.type === 'form' ? swapInForm(body, site.name, held) : undefined;
};

/**
 * Whether a part may be named like a field that overrides the method. Which part a server takes for a
 * field is not worth guessing: the name is enough. Each byte is read once, for the body may be anything.
 */
const namesMethod = (text: string): boolean => {
  for (const [, name = ''] of text.matchAll(/name\*?\s*=([^;\r\n]*)/gi))
    if (/[_.]method/i.test(name)) return true;
  return false;
};

/** The methods that a body names, upper case. */
const methodsIn = ({ type, readable }: BodyForm, body: Buffer): readonly string[] => {
  if (type !== 'form' && type !== 'multipart') return [];
  if (!readable) return [UNKNOWN_METHOD];
  if (type === 'form') return methodsInFields(body.toString('latin1'));
  return namesMethod(body.toString('latin1')) ? [UNKNOWN_METHOD] : [];
};

const otherMethod = ({ credential }: CredentialGrant): Refusal =>
  failure(
    'grant.method',
    `The body names, or may name, another method in _method, which ${credential} is not granted for.`,
    'Send the request with the method itself, uncompressed.',
  );

/**
 * What a request's body has to pass so that credentials get into it, and so that it cannot name
 * another method than the grants in its head are for. `ready` are the credentials that may go to this
 * request and are not in its head; what cannot be put in stays a placeholder, which the search of all
 * that leaves will find.
 */
export const bodyGate = (
  request: JudgedRequest,
  head: { readonly target: string; readonly headers: HeaderPairs },
  used: readonly CredentialGrant[],
  ready: readonly HeldCredential[],
): BodyGate => {
  if (request.bodyBytes === 0) return { type: 'stream' };
  const form = formOf(request.headers);
  const fields = form.type === 'form' || form.type === 'multipart';
  const narrowed = fields ? used.filter(({ scope }) => scope.methods !== undefined) : [];
  const tooLong = (request.bodyBytes ?? 0) > MAX_HELD_BODY_BYTES;
  const fillable =
    form.readable && !tooLong
      ? ready.filter(({ grant }) => grant.sites.some(({ type }) => type === form.type))
      : [];
  if (narrowed.length === 0 && fillable.length === 0) return { type: 'stream' };
  return {
    type: 'hold',
    maxBytes: MAX_HELD_BODY_BYTES,
    release: (body): Promise<Result<Released, Refusal>> => {
      const methods = methodsIn(form, body);
      const allows = ({ scope }: CredentialGrant): boolean =>
        methods.every((method) => scope.methods?.includes(method) !== false);
      const against = narrowed.find((grant) => !allows(grant));
      if (against !== undefined) return Promise.resolve(err(otherMethod(against)));
      let out = body;
      const filled: CredentialGrant[] = [];
      for (const held of fillable.filter(({ grant }) => allows(grant))) {
        const next = held.grant.sites
          .map((site) => (site.type === form.type ? swapAt(site, out, held) : undefined))
          .find((swapped) => swapped !== undefined);
        if (next !== undefined) {
          out = next;
          filled.push(held.grant);
        }
      }
      return Promise.resolve(ok({ ...head, body: out, used: filled }));
    },
  };
};
