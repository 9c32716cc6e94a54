export { createWireClient } from './client.ts';
export type { ConnectionState, StreamObserver, WireClient } from './client.ts';
export { connectHost, isDesktop } from './transport.ts';
