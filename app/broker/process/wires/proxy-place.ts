import type { CanonicalHost } from '../../../policy/index.ts';

/** The name by which programs inside find the proxy. */
export const PROXY_NAME = 'proxy.glovebox.internal';
/** Its address, of TEST-NET-1 (RFC 5737): routed nowhere, so that it can mean the proxy here. */
export const PROXY_ADDRESS = '192.0.2.80';
/** The ports it is found at; each speaks HTTP and SOCKS alike. */
export const PROXY_PORTS: readonly number[] = [3128, 1080, 8080];

export const isProxyAddress = (host: CanonicalHost): boolean => host === PROXY_ADDRESS;
