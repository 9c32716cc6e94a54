/** Where captured connections and DNS arrive on both loopback addresses, as capture.nft knows it. */
export const CAPTURE_PORT = 15_001;
export const DNS_PORT = 15_053;

/** The broker's sockets, mounted from the host. */
export const LINK_SOCKET = '/run/glovebox/link.sock';
export const HANDOVER_SOCKET = '/run/glovebox/handover.sock';
