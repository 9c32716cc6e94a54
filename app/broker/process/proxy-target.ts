import { failure } from '../../kit/index.ts';
import { judgeDestination, parseHost, type NetworkPolicy } from '../../policy/index.ts';
import type { Approach } from './judge-request.ts';

const ABSOLUTE = /^(https?):\/\/(\[[^\]]*\]|[^:[\]@/?#\\]+)(?::([0-9]{1,5}))?(?:[/?]|$)/i;

/**
 * Where a request to a proxy goes: its target in absolute form says so (RFC 9112 3.2.2). `own` is
 * the proxy's own place, which a request that names none stays at, refused.
 */
export const proxyApproach = (policy: NetworkPolicy, own: Approach, target: string): Approach => {
  const [, scheme, hostText, portText] = ABSOLUTE.exec(target) ?? [];
  const host = hostText === undefined ? undefined : parseHost(hostText);
  if (scheme === undefined || host?.ok !== true) {
    const why = 'A request to the proxy names no destination in its target.';
    return { ...own, refusal: failure('egress.bad-request', why) };
  }
  const tls = scheme.toLowerCase() === 'https';
  const port = portText === undefined ? (tls ? 443 : 80) : Number(portText);
  const verdict = judgeDestination(policy, host.value, port);
  const { program } = own;
  return { to: { host: host.value, port, tls }, program, refusal: undefined, verdict };
};
