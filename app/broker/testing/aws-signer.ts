import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';
import type { HeaderPairs } from '../process/request.ts';

/** What AWS's own signer for JavaScript asks for, over Node's own crypto. */
class Sha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash =
      secret === undefined
        ? createHash('sha256')
        : createHmac(
            'sha256',
            typeof secret === 'string' ? secret : Buffer.from(secret as Uint8Array),
          );
  }
  update(data: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(typeof data === 'string' ? data : Buffer.from(data as Uint8Array));
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()));
  }
  reset(): void {}
}

/** A pair, with its token where it is a temporary one. */
export type AwsKeys = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
/** A request that a client would sign. */
export type AwsAsk = {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly service?: string;
  /** Milliseconds since the epoch. */
  readonly at?: number;
};

/** Signs with AWS's own code, as a client inside would, or as AWS would check it. */
export const signForAws = async (
  { method = 'GET', url, headers = {}, body, service = 's3', at = Date.now() }: AwsAsk,
  keys: AwsKeys,
  unsignable: readonly string[] = [],
): Promise<HeaderPairs> => {
  const { hostname, port, host, searchParams } = new URL(url);
  const path = /^https:\/\/[^/]+([^?]*)/.exec(url)?.[1] ?? '/';
  const query: Record<string, string[]> = {};
  for (const name of searchParams.keys()) query[name] = searchParams.getAll(name);
  const signer = new SignatureV4({
    credentials: keys,
    region: 'eu-west-1',
    service,
    sha256: Sha256,
    uriEscapePath: service !== 's3',
    applyChecksum: service === 's3',
  });
  const request = await signer.sign(
    {
      method,
      protocol: 'https:',
      hostname,
      ...(port === '' ? {} : { port: Number(port) }),
      path,
      query,
      headers: { host, ...headers },
      ...(body === undefined ? {} : { body }),
    },
    { signingDate: new Date(at), unsignableHeaders: new Set(unsignable) },
  );
  return Object.entries(request.headers);
};
