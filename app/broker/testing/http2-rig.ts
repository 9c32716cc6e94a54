import type { ClientHttp2Session } from 'node:http2';
import { createTestAuthority, type TestAuthority } from './certificates.ts';
import { createHttp2Echo, type Http2Seen } from './http2-echo.ts';
import { connectHttp2, listenClearHttp2, listenHttp2, type Http2Upstream } from './http2.ts';
import { createRig, listenTls, type Rig } from './setup.ts';

export const BODY_SECRET = 'a-longer-secret-that-goes-into-bodies-0123456789';

/** The head of a request to the server at api.test. */
export const request = (path: string, more: Record<string, string> = {}, method = 'GET') => ({
  ':method': method,
  ':path': path,
  ':scheme': 'https',
  ':authority': 'api.test',
  ...more,
});

/** A broker and the servers behind it, for requests over HTTP/2. */
export type Http2Rig = {
  readonly rig: Rig;
  readonly authority: TestAuthority;
  /** The server at api.test and other.test. */
  readonly upstream: Http2Upstream;
  /** What it does and has seen. */
  readonly echo: ReturnType<typeof createHttp2Echo>;
  /** What stands for the secret that goes into heads. */
  readonly placeholder: () => string;
  /** The last request that it saw. */
  readonly last: () => Http2Seen;
  /** The value of a field of that request. */
  readonly field: (name: string) => string | undefined;
  readonly open: (host?: string) => Promise<ClientHttp2Session>;
  readonly close: () => Promise<void>;
};

export const openHttp2 = async (): Promise<Http2Rig> => {
  const echo = createHttp2Echo();
  const authority = await createTestAuthority();
  const upstream = await listenHttp2(authority, ['api.test', 'other.test'], echo.onStream);
  const older = await listenTls(authority, ['old.test'], (_request, response) =>
    response.end('old'),
  );
  const clear = await listenClearHttp2(createHttp2Echo().onStream);
  const rig = await createRig({
    authority,
    allow: ['api.test', 'api.test:80', 'other.test', 'old.test', 'nothing.test'],
    resolve: [
      `api.test:443:127.0.0.1:${String(upstream.port)}`,
      `other.test:443:127.0.0.1:${String(upstream.port)}`,
      `old.test:443:127.0.0.1:${String(older.port)}`,
      `api.test:80:127.0.0.1:${String(clear.port)}`,
      'nothing.test:443:127.0.0.1:1',
    ],
    grants: [
      { kind: 'anthropic', hosts: ['api.test'] },
      { kind: 'json:/login/key', hosts: ['api.test'], secret: BODY_SECRET },
    ],
  });
  const last = (): Http2Seen => {
    const found = echo.seen.at(-1);
    if (found === undefined) throw new Error('the upstream saw nothing');
    return found;
  };
  const field = (name: string): string | undefined => {
    const { raw } = last();
    const at = raw.indexOf(name);
    return at < 0 ? undefined : raw[at + 1];
  };
  return {
    rig,
    authority,
    upstream,
    echo,
    placeholder: () => rig.grants[0]?.placeholder ?? '',
    last,
    field,
    open: (host = 'api.test') => connectHttp2(rig, host),
    close: async () => {
      await rig.close();
      await Promise.all([upstream.close(), older.close(), clear.close()]);
    },
  };
};
