import type { JudgedRequest } from '../mediate.ts';

/** Actions of AWS STS that answer with no new credential; all others do. */
const STS_HARMLESS = new Set([
  'GetCallerIdentity',
  'DecodeAuthorizationMessage',
  'GetAccessKeyInfo',
]);
const IAM_MINTING = new Set([
  'CreateAccessKey',
  'CreateServiceSpecificCredential',
  'ResetServiceSpecificCredential',
]);
/** Calls that name themselves in a header (`X-Amz-Target: Service.Action`). */
const TARGET_MINTING = new Set([
  'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken',
  'AWSCognitoIdentityService.GetCredentialsForIdentity',
  'AWSCognitoIdentityService.GetOpenIdToken',
  'AWSCognitoIdentityService.GetOpenIdTokenForDeveloperIdentity',
]);
const CODEARTIFACT_TOKEN = '/v1/authorization-token';

/** Services that name the action in their query or form: only the body tells what is asked for. */
export const tellsInBody = (service: string): boolean => service === 'sts' || service === 'iam';

const actionsIn = (fields: string): readonly string[] =>
  [...new URLSearchParams(fields)]
    // In whatever case: two that only their case tells apart are two.
    .filter(([name]) => name.toLowerCase() === 'action')
    .map(([, action]) => action);

/**
 * Whether a service would answer with a new credential, which may not come inside. Known by name;
 * what cannot be told from one of them counts as one.
 */
export const mintsCredential = (
  service: string,
  { target, headers }: Pick<JudgedRequest, 'target' | 'headers'>,
  body: Buffer,
): boolean => {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  const query = mark < 0 ? '' : target.slice(mark + 1);
  const called = headers.filter(([name]) => name.toLowerCase() === 'x-amz-target');
  if (called.some(([, value]) => TARGET_MINTING.has(value.trim()))) return true;
  if (service === 'codeartifact') return path.startsWith(CODEARTIFACT_TOKEN);
  if (service === 's3express') return new URLSearchParams(query).has('session');
  if (!tellsInBody(service)) return false;
  const inQuery = actionsIn(query);
  // A body beside it may say another, compressed or in letters that are not read here.
  if (inQuery.length > 0 && body.length > 0) return true;
  const [action = '', second] = [...inQuery, ...actionsIn(body.toString('latin1'))];
  if (second !== undefined) return true;
  return service === 'sts' ? !STS_HARMLESS.has(action) : IAM_MINTING.has(action) || action === '';
};
