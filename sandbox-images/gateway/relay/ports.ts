/** Where the relay listens on both loopback addresses, as capture.nft knows it. */
export const CAPTURE_PORT = 15_001;
export const DNS_PORT = 15_053;

/** Connections meant for this port carry DNS (RFC 1035 4.2.2). */
export const DOMAIN_PORT = 53;

/** The broker's socket, mounted from the host. */
export const LINK_SOCKET = '/run/glovebox/link.sock';
