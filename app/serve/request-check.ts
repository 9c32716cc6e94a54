import type { IncomingMessage } from 'node:http';

/** Why a request is refused, in words for the person who sees the page. */
export type Refusal = { readonly status: number; readonly words: string };

/**
 * The Host header must be this server's own address, exactly and once: a name that some web site
 * points at 127.0.0.1 (DNS rebinding) is refused here.
 */
export const checkHost = (request: IncomingMessage, port: number): Refusal | undefined => {
  const hosts = request.headersDistinct['host'] ?? [];
  const [host] = hosts;
  if (hosts.length === 1 && (host === `127.0.0.1:${port}` || host === `localhost:${port}`)) {
    return undefined;
  }
  return { status: 403, words: 'Glovebox answers at its own address only.' };
};

/** A WebSocket may be opened by this server's own page only; browsers always say which page it is (RFC 6455, 10.2). */
export const checkOrigin = (request: IncomingMessage): Refusal | undefined => {
  const origins = request.headersDistinct['origin'] ?? [];
  return origins.length === 1 && origins[0] === `http://${request.headers.host ?? ''}`
    ? undefined
    : { status: 403, words: 'Another page may not speak to Glovebox.' };
};

/** The value of one cookie; undefined where it is missing or there twice. */
export const cookieValue = (request: IncomingMessage, name: string): string | undefined => {
  const values = (request.headers.cookie ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  return values.length === 1 ? values[0] : undefined;
};
