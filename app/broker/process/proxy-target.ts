import { judgeDestination } from '../../policy/enforce.ts';
import type { CanonicalHost, NetworkPolicy } from '../../policy/index.ts';
import type { Approach } from './judge-request.ts';
import type { Refusal } from './refuse.ts';
import { parseAbsoluteTarget } from './wires/connect-target.ts';

/**
 * Where a request to a proxy goes: its target in absolute form says so (RFC 9112 3.2.2). `own` is
 * the proxy's own place, which a request that names none stays at, refused, and so does one whose
 * name `against` refuses: that goes to resolvers outside.
 */
export const proxyApproach = (
  policy: NetworkPolicy,
  own: Approach,
  target: string,
  against: (host: CanonicalHost) => Refusal | undefined,
): Approach => {
  const named = parseAbsoluteTarget(target);
  if (!named.ok) return { ...own, refusal: named.error };
  const { host, port } = named.value;
  const refusal = against(host);
  if (refusal !== undefined) return { ...own, refusal, withheld: true };
  const verdict = judgeDestination(policy, host, port);
  const { program } = own;
  return { to: { host, port, tls: false }, program, refusal: undefined, verdict };
};
