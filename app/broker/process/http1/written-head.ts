import type { CallHead } from '../http-call.ts';
import type { HeaderPairs } from '../request.ts';
import { malformed, type Malformed } from './malformed.ts';

/** Methods whose requests usually have no body (RFC 9110 9.3). */
const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS']);

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const TARGET = /^[\u0021-\u007e\u0080-\u00ff]+$/;
/** What would end a field's line, or cannot be written as one byte. */
const NOT_A_VALUE = /[^\t\u0020-\u007e\u0080-\u00ff]/;

/** Field lines, each with its end; nothing in them can begin another. */
export const writeFields = (fields: HeaderPairs): string | Malformed => {
  let text = '';
  for (const [name, value] of fields) {
    if (!TOKEN.test(name) || NOT_A_VALUE.test(value))
      return malformed('a field that cannot be written');
    text += `${name}: ${value}\r\n`;
  }
  return text;
};

/** Whether the connection ends with this request's answer: servers that ignore a body where none is usual would read it as the next request. */
export const endsConnection = ({ method, framing, protocol }: CallHead): boolean =>
  protocol === undefined && framing.type !== 'none' && BODILESS.has(method);

/** A request's head as it goes on the wire, in Latin-1, with the connection's own fields (RFC 9112 3, 9110 7.6.1). */
export const writeRequestHead = (head: CallHead): string | Malformed => {
  const { method, target, headers, framing, protocol } = head;
  if (!TOKEN.test(method) || !TARGET.test(target))
    return malformed('a request line that cannot be written');
  const fields = writeFields(headers);
  if (typeof fields !== 'string') return fields;
  const connection =
    protocol === undefined
      ? `Connection: ${endsConnection(head) ? 'close' : 'keep-alive'}\r\n`
      : `Connection: Upgrade\r\nUpgrade: ${protocol}\r\n`;
  const length =
    framing.type === 'chunked'
      ? 'Transfer-Encoding: chunked\r\n'
      : framing.type === 'length'
        ? `Content-Length: ${String(framing.bytes)}\r\n`
        : // Without it some servers wait for the body of a POST.
          BODILESS.has(method)
          ? ''
          : 'Content-Length: 0\r\n';
  return `${method} ${target} HTTP/1.1\r\n${fields}${length}${connection}\r\n`;
};
