import type { Code, CredentialInput, CredentialSummary, VaultStatus } from '../contract/index.ts';
import type { Failure, Result, Secret } from '../kit/index.ts';

export type VaultFailure = Failure<Code>;

/** Stored credentials. Values leave it through `reveal` only, as `Secret`, for one session's broker. */
export type Vault = {
  readonly status: () => Promise<VaultStatus>;
  readonly list: () => Promise<Result<readonly CredentialSummary[], VaultFailure>>;
  readonly add: (
    input: Omit<CredentialInput, 'secret'> & { readonly secret: Secret },
  ) => Promise<Result<CredentialSummary, VaultFailure>>;
  readonly rotate: (
    name: string,
    secret: Secret,
  ) => Promise<Result<CredentialSummary, VaultFailure>>;
  readonly remove: (name: string) => Promise<Result<void, VaultFailure>>;
  /**
   * Opens the passphrase-sealed store while the app runs (the window asks for the passphrase), creating it
   * where there is none. Refused with `vault.failed` where a keychain serves. Wrong passphrase: `vault.passphrase`.
   * Without a passphrase a keychain is tried once more, in case it was unlocked since: `vault.locked` if not.
   */
  readonly unlock: (passphrase?: Secret) => Promise<Result<VaultStatus, VaultFailure>>;
  readonly reveal: (
    name: string,
  ) => Promise<
    Result<{ readonly summary: CredentialSummary; readonly secret: Secret }, VaultFailure>
  >;
};

export type VaultOptions = {
  /** GLOVEBOX_HOME. */
  readonly home: string;
  /** GLOVEBOX_VAULT (`keychain` | `sealed`), GLOVEBOX_PASSPHRASE_FILE, DBUS_SESSION_BUS_ADDRESS. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Asks the person for the sealed file's passphrase; absent where nobody is there. */
  readonly askPassphrase?: (purpose: 'create' | 'open') => Promise<Secret | undefined>;
};
