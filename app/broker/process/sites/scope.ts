import { matchesPathPattern } from '../../../policy/enforce.ts';
import type { CredentialGrant } from '../../../policy/index.ts';
import type { JudgedRequest } from '../mediate.ts';
import { gatewayName, methodsOf } from './methods.ts';

/** Header fields that name another path than the request does (IIS with URL Rewrite, and frameworks made for it). */
export const PATH_OVERRIDE_HEADERS: ReadonlySet<string> = new Set([
  'x-original-url',
  'x-rewrite-url',
]);

/** Why a request at the right host is still none that the grant is for; undefined where it is one. */
export const outsideScope = (
  { scope }: CredentialGrant,
  { method, target, headers }: Pick<JudgedRequest, 'method' | 'target' | 'headers'>,
): 'grant.method' | 'grant.path' | undefined => {
  const { methods, paths } = scope;
  if (
    methods !== undefined &&
    !methodsOf(method, target, headers).every((one) => methods.includes(one))
  ) {
    return 'grant.method';
  }
  if (paths === undefined) return undefined;
  if (headers.some(([name]) => PATH_OVERRIDE_HEADERS.has(gatewayName(name)))) return 'grant.path';
  const [path = ''] = target.split('?');
  return paths.some((pattern) => matchesPathPattern(pattern, path)) ? undefined : 'grant.path';
};
