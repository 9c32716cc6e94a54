export { buildWatchSet } from './fingerprint.ts';
export type { WatchedValue } from './fingerprint.ts';
export { createStartBroker } from './start-broker.ts';
export type { StartBrokerOptions } from './start-broker.ts';
export { forkProcess } from './spawn.ts';
export type { Spawn, SpawnedProcess } from './spawn.ts';
export type {
  Answer,
  Ask,
  Broker,
  BrokerCredential,
  BrokerFailure,
  BrokerListeners,
  BrokerSpec,
  Flow,
  Identify,
  SessionAuthority,
  StartBroker,
} from './port.ts';
