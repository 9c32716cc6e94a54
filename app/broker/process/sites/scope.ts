import { matchesPathPattern } from '../../../policy/enforce.ts';
import type { CredentialGrant } from '../../../policy/index.ts';
import type { JudgedRequest } from '../mediate.ts';
import { methodsOf } from './methods.ts';

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
  const [path = ''] = target.split('?');
  return paths === undefined || paths.some((pattern) => matchesPathPattern(pattern, path))
    ? undefined
    : 'grant.path';
};
