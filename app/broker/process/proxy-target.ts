import { judgeDestination } from '../../policy/enforce.ts';
import type { NetworkPolicy } from '../../policy/index.ts';
import type { Approach } from './judge-request.ts';
import { parseAbsoluteTarget } from './wires/connect-target.ts';

/**
 * Where a request to a proxy goes: its target in absolute form says so (RFC 9112 3.2.2). `own` is
 * the proxy's own place, which a request that names none stays at, refused.
 */
export const proxyApproach = (policy: NetworkPolicy, own: Approach, target: string): Approach => {
  const named = parseAbsoluteTarget(target);
  if (!named.ok) return { ...own, refusal: named.error };
  const { host, port } = named.value;
  const verdict = judgeDestination(policy, host, port);
  const { program } = own;
  return { to: { host, port, tls: false }, program, refusal: undefined, verdict };
};
