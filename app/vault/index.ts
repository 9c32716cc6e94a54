export type { Vault, VaultFailure, VaultOptions } from './port.ts';
export { openVault } from './vault.ts';
