import {
  MethodText,
  Name,
  SiteText,
  type GrantRequest,
  type GrantSummary,
} from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import { formatHostRule, parseHostRule } from './host-rule.ts';
import { parsePathPattern } from './path-pattern.ts';

/** Most characters of one grant. */
export const MAX_GRANT_CHARS = 4096;

const FORM =
  'CREDENTIAL[@HOST[:PORT][,HOST…]] [methods=GET,POST] [path=/v1/*]… [site=header:x-api-key]…';
/** Methods that the broker passes on for nobody. */
const REFUSED_METHODS = new Set(['TRACE', 'TRACK', 'CONNECT']);

const invalid = (why: string): Result<never> =>
  fail('policy.invalid', why, `A grant is written ${FORM}.`);

const readHosts = (text: string): Result<string[]> => {
  const hosts: string[] = [];
  for (const part of text.split(',')) {
    const rule = parseHostRule(part);
    if (!rule.ok) return rule;
    hosts.push(formatHostRule(rule.value));
  }
  return ok(hosts);
};

const readMethods = (text: string): Result<string[]> => {
  const methods = text.toUpperCase().split(',');
  const bad = methods.find(
    (method) => !MethodText.safeParse(method).success || REFUSED_METHODS.has(method),
  );
  return bad === undefined
    ? ok(methods)
    : invalid(`${bad === '' ? 'Nothing' : bad} is no method that is passed on.`);
};

const distinct = <T>(items: readonly T[]): T[] => Array.from(new Set(items));

/**
 * Reads a grant as flags and policy files write it: the credential, where it may go, and what narrows
 * it, separated by single spaces. `methods` comes once, `path` and `site` once for each.
 */
export const parseGrant = (text: string): Result<GrantRequest> => {
  if (text.length > MAX_GRANT_CHARS) return invalid('The grant is too long.');
  const [head = '', ...options] = text.split(' ');
  const at = head.indexOf('@');
  const name = Name.safeParse(at < 0 ? head : head.slice(0, at));
  if (!name.success) return invalid('That is not a grant.');
  const hosts = at < 0 ? ok(undefined) : readHosts(head.slice(at + 1));
  if (!hosts.ok) return hosts;
  let methods: string[] | undefined;
  const paths: string[] = [];
  const sites: string[] = [];
  for (const option of options) {
    const equals = option.indexOf('=');
    const key = option.slice(0, Math.max(equals, 0));
    const value = option.slice(equals + 1);
    if (key === 'methods' && methods === undefined) {
      const read = readMethods(value);
      if (!read.ok) return read;
      methods = distinct(read.value);
    } else if (key === 'path') {
      const pattern = parsePathPattern(value);
      if (!pattern.ok) return pattern;
      paths.push(pattern.value);
    } else if (key === 'site') {
      const site = SiteText.safeParse(value);
      if (!site.success) return invalid('A site of the grant is empty or too long.');
      sites.push(site.data);
    } else {
      return invalid('The grant has a part that cannot be read.');
    }
  }
  return ok({
    credential: name.data,
    ...(hosts.value === undefined ? {} : { hosts: hosts.value }),
    ...(methods === undefined ? {} : { methods }),
    ...(paths.length === 0 ? {} : { paths: distinct(paths) }),
    ...(sites.length === 0 ? {} : { sites: distinct(sites) }),
  });
};

/** A grant as the user would write it; `parseGrant` reads it back. */
export const formatGrant = ({
  credential,
  hosts,
  methods,
  paths,
  sites,
}: GrantRequest | GrantSummary): string =>
  [
    hosts === undefined || hosts.length === 0 ? credential : `${credential}@${hosts.join(',')}`,
    ...(methods === undefined ? [] : [`methods=${methods.join(',')}`]),
    ...(paths ?? []).map((path) => `path=${path}`),
    ...(sites ?? []).map((site) => `site=${site}`),
  ].join(' ');
