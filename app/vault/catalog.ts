import { join } from 'node:path';
import { z } from 'zod';
import { CredentialSummary } from '../contract/index.ts';
import { fail, ok, type Result } from '../kit/index.ts';
import type { VaultFailure } from './port.ts';
import { readPrivate, replacePrivate } from './private-file.ts';

/** Most credentials that may be stored. */
export const MAX_CREDENTIALS = 1000;
const MAX_CATALOG_BYTES = 8 * 1024 * 1024;

export const StoreName = z.enum(['keychain', 'sealed']);
export type StoreName = z.infer<typeof StoreName>;

const Entry = CredentialSummary.extend({
  /** Where its secret lies. */
  store: StoreName,
});
export type Entry = z.infer<typeof Entry>;

/** What is known of the credentials without opening any store. Never a secret. */
const Catalog = z.strictObject({
  version: z.literal(1),
  /** The store that was used last, so that a change can be told. */
  store: StoreName.optional(),
  entries: z.array(Entry).max(MAX_CREDENTIALS),
});
export type Catalog = z.infer<typeof Catalog>;

const catalogPath = (folder: string): string => join(folder, 'index.json');

/** Reads the catalog; an absent one is empty, a damaged one fails and is left as it is. */
export const readCatalog = async (folder: string): Promise<Result<Catalog, VaultFailure>> => {
  const path = catalogPath(folder);
  const damaged = (why: string): Result<Catalog, VaultFailure> =>
    fail(
      'vault.failed',
      `The list of credentials cannot be read: ${why}.`,
      `It stays as it is. Put ${path} right, or move it away to begin anew.`,
    );
  let text: string | undefined;
  try {
    text = await readPrivate(path, MAX_CATALOG_BYTES);
  } catch (thrown) {
    return damaged(thrown instanceof Error ? thrown.message : 'the disk refuses');
  }
  if (text === undefined) return ok({ version: 1, entries: [] });
  try {
    const parsed = Catalog.safeParse(JSON.parse(text));
    return parsed.success ? ok(parsed.data) : damaged('it is not a list of credentials');
  } catch {
    return damaged('it is damaged');
  }
};

export const writeCatalog = async (
  folder: string,
  catalog: Catalog,
): Promise<Result<void, VaultFailure>> => {
  try {
    await replacePrivate(catalogPath(folder), `${JSON.stringify(catalog, undefined, 2)}\n`);
    return ok(undefined);
  } catch (thrown) {
    const why = thrown instanceof Error ? thrown.message : 'the disk refuses';
    return fail('vault.failed', `The list of credentials cannot be written: ${why}.`);
  }
};
