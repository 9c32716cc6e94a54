import { readFile, stat } from 'node:fs/promises';
import { failure, FailureError } from '../kit/index.ts';

/** Largest file of further authorities. */
export const MAX_UPSTREAM_CA_BYTES = 4 * 1024 * 1024;

/** The further authorities that the broker trusts upstream, as PEM texts. Throws a `FailureError`. */
export const readAuthorities = async (path: string | undefined): Promise<readonly string[]> => {
  if (path === undefined) return [];
  const unusable = (why: string): FailureError =>
    new FailureError(
      failure(
        'policy.invalid',
        `The file of upstream authorities ${path} ${why}.`,
        'Give a PEM file with one or more certificates.',
      ),
    );
  const size = await stat(path)
    .then((s) => s.size)
    .catch(() => undefined);
  if (size === undefined) throw unusable('cannot be read');
  if (size > MAX_UPSTREAM_CA_BYTES) throw unusable('is too large');
  const text = await readFile(path, 'utf8').catch(() => {
    throw unusable('cannot be read');
  });
  if (!text.includes('-----BEGIN CERTIFICATE-----')) throw unusable('holds no certificate');
  return [text];
};
