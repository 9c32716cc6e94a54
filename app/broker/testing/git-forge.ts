import { spawn } from 'node:child_process';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

/** What a forge saw of one request. */
export type ForgeCall = { readonly url: string; readonly login: string | undefined };

const passHead = (response: ServerResponse, head: string): void => {
  let status = 200;
  for (const line of head.split('\r\n')) {
    const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    if (name.toLowerCase() === 'status') status = Number.parseInt(value, 10);
    else if (name !== '') response.setHeader(name, value);
  }
  response.writeHead(status);
};

/**
 * A forge for tests: `git http-backend` (a CGI program, RFC 3875) over the repositories of a folder,
 * for who logs in by Basic with this password.
 */
export const createForge = (
  root: string,
  password: string,
): { readonly calls: ForgeCall[]; readonly listener: RequestListener } => {
  const calls: ForgeCall[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { url = '', method = '', headers } = request;
    const basic = /^Basic (.+)$/.exec(headers.authorization ?? '')?.[1];
    const login = basic === undefined ? undefined : Buffer.from(basic, 'base64').toString();
    calls.push({ url, login });
    if (login?.split(':')[1] !== password) {
      request.resume();
      response.writeHead(401, { 'www-authenticate': 'Basic realm="forge"' }).end('log in\n');
      return;
    }
    const [path = '', query = ''] = url.split('?');
    const backend = spawn('git', ['http-backend'], {
      env: {
        PATH: process.env['PATH'],
        GIT_PROJECT_ROOT: root,
        GIT_HTTP_EXPORT_ALL: '1',
        GIT_CONFIG_COUNT: '1',
        GIT_CONFIG_KEY_0: 'safe.directory',
        GIT_CONFIG_VALUE_0: '*',
        REMOTE_USER: 'tester',
        REQUEST_METHOD: method,
        PATH_INFO: decodeURIComponent(path),
        QUERY_STRING: query,
        CONTENT_TYPE: headers['content-type'] ?? '',
        HTTP_CONTENT_ENCODING: headers['content-encoding'] ?? '',
        GIT_PROTOCOL: String(headers['git-protocol'] ?? ''),
        ...(headers['content-length'] === undefined
          ? {}
          : { CONTENT_LENGTH: headers['content-length'] }),
      },
    });
    request.pipe(backend.stdin);
    // A refused program closes its input early; the answer says why.
    backend.stdin.on('error', () => undefined);
    let head: Buffer | undefined = Buffer.alloc(0);
    backend.stdout.on('data', (part: Buffer) => {
      if (head === undefined) {
        response.write(part);
        return;
      }
      head = Buffer.concat([head, part]);
      const end = head.indexOf('\r\n\r\n');
      if (end < 0) return;
      passHead(response, head.toString('latin1', 0, end));
      response.write(head.subarray(end + 4));
      head = undefined;
    });
    backend.stdout.on('end', () => response.end());
  };
  return { calls, listener };
};
