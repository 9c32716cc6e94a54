import type { IncomingMessage, ServerResponse } from 'node:http';
import { readSigv4Header } from '../../app/broker/process/mediators/sigv4-header.ts';
import { signForAws, type AwsKeys } from '../../app/broker/testing/aws-signer.ts';

/** `20260101T000000Z` as milliseconds since the epoch. */
const timeOf = (text: string): number =>
  Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));

/** Whether AWS's own signer, with these keys, comes to the signature that a request carries. */
const isSigned = async (
  host: string,
  request: IncomingMessage,
  body: string,
  keys: AwsKeys,
): Promise<boolean> => {
  const { authorization = '', 'x-amz-date': date } = request.headers;
  const header = readSigv4Header(authorization);
  if (!header.ok) return false;
  const headers = Object.fromEntries(
    header.value.signedHeaders
      .filter((name) => name !== 'host' && name !== 'x-amz-date')
      .map((name) => [name, String(request.headers[name])]),
  );
  const signed = await signForAws(
    {
      method: request.method ?? '',
      url: `https://${host}${request.url ?? ''}`,
      headers,
      ...(body === '' ? {} : { body }),
      at: timeOf(String(date)),
    },
    keys,
  );
  return signed.some(([name, value]) => name === 'authorization' && value === authorization);
};

/** An object store for who signs with these keys: it keeps what is put, and says the keys with what is got. */
export const createS3 = (
  host: string,
  keys: AwsKeys,
): ((request: IncomingMessage, response: ServerResponse) => void) => {
  const objects = new Map<string, string>();
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = Buffer.concat(parts).toString();
    if (!(await isSigned(host, request, body, keys))) {
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end('<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>');
      return;
    }
    const path = request.url ?? '';
    if (request.method === 'PUT') objects.set(path, body);
    response.writeHead(200, { 'x-you-are': keys.accessKeyId });
    response.end(
      request.method === 'GET' ? `${objects.get(path) ?? ''} from ${keys.secretAccessKey}` : '',
    );
  };
  return (request, response) => {
    answer(request, response).catch(() => response.destroy());
  };
};
