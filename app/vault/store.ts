import type { Result, Secret } from '../kit/index.ts';
import type { StoreName } from './catalog.ts';
import type { VaultFailure } from './port.ts';

/** Where secrets lie. No call waits without an end, and none shows a secret in its failure. */
export type SecretStore = {
  readonly name: StoreName;
  /** Whether it can be used now, found out by using it. */
  readonly open: () => Promise<Result<void, VaultFailure>>;
  readonly get: (name: string) => Promise<Result<Secret | undefined, VaultFailure>>;
  readonly set: (name: string, secret: Secret) => Promise<Result<void, VaultFailure>>;
  /** Removing what is not there is fine. */
  readonly remove: (name: string) => Promise<Result<void, VaultFailure>>;
};
