/** One request as a strict server reads it (RFC 9112): one framing, one host, nothing to interpret. */
export type StrictRequest = {
  readonly method: string;
  readonly target: string;
  readonly host: string;
  readonly bodyBytes: number;
  /** All of it has come. */
  readonly whole: boolean;
};

export type StrictReading = {
  readonly requests: readonly StrictRequest[];
  /** The first thing that two servers could read in two ways. */
  readonly odd: string | undefined;
  /** Bytes that belong to whole requests. */
  readonly used: number;
};

const LINE = /^([A-Z][A-Z-]*) (\/[!-~]*|\*) HTTP\/1\.1$/;
// oxlint-disable-next-line no-control-regex -- control characters are what may not be there
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]?([^\0-\x08\x0a-\x1f\x7f]*)$/;
const CHUNK = /^[0-9a-f]{1,8}$/i;

/** Where a chunked body ends; undefined where it has not come whole. */
const chunkedEnd = (
  text: string,
  from: number,
): { end: number; bytes: number } | string | undefined => {
  let at = from;
  let bytes = 0;
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = text.slice(at, lineEnd);
    if (!CHUNK.test(size)) return `a chunk’s size: ${JSON.stringify(size.slice(0, 40))}`;
    const length = Number.parseInt(size, 16);
    at = lineEnd + 2;
    if (length === 0) {
      // Trailers, and the empty line.
      for (;;) {
        const end = text.indexOf('\r\n', at);
        if (end < 0) return undefined;
        if (end === at) return { end: at + 2, bytes };
        if (!FIELD.test(text.slice(at, end))) return 'a trailer that is no field';
        at = end + 2;
      }
    }
    if (text.length < at + length + 2) return undefined;
    if (text.slice(at + length, at + length + 2) !== '\r\n') return 'a chunk without its end';
    at += length + 2;
    bytes += length;
  }
};

/** Reads what a server got on one connection, with no leniency at all; written apart from what it checks. */
export const readStrictly = (received: Buffer): StrictReading => {
  const text = received.toString('latin1');
  const requests: StrictRequest[] = [];
  let at = 0;
  const odd = (what: string): StrictReading => ({ requests, odd: what, used: at });
  while (at < text.length) {
    const end = text.indexOf('\r\n\r\n', at);
    if (end < 0) break;
    const [first = '', ...lines] = text.slice(at, end).split('\r\n');
    const [, method, target] = LINE.exec(first) ?? [];
    if (method === undefined || target === undefined)
      return odd(`a request line: ${first.slice(0, 80)}`);
    const fields = lines.map((line) => FIELD.exec(line));
    if (fields.includes(null)) return odd('a line that is no field');
    const values = (wanted: string): string[] =>
      fields.flatMap((field) => (field?.[1]?.toLowerCase() === wanted ? [field[2] ?? ''] : []));
    const hosts = values('host');
    const lengths = values('content-length');
    const codings = values('transfer-encoding');
    if (hosts.length !== 1) return odd(`${String(hosts.length)} hosts`);
    if (lengths.length + codings.length > 1) return odd('two framings');
    if (lengths[0] !== undefined && !/^[0-9]{1,15}$/.test(lengths[0]))
      return odd('a length that is none');
    if (codings[0] !== undefined && codings[0] !== 'chunked') return odd(`a coding ${codings[0]}`);
    const from = end + 4;
    let bodyBytes = Number(lengths[0] ?? 0);
    let stop: number | undefined = from + bodyBytes > text.length ? undefined : from + bodyBytes;
    if (codings.length > 0) {
      const chunked = chunkedEnd(text, from);
      if (typeof chunked === 'string') return odd(chunked);
      bodyBytes = chunked?.bytes ?? 0;
      stop = chunked?.end;
    }
    requests.push({ method, target, host: hosts[0] ?? '', bodyBytes, whole: stop !== undefined });
    if (stop === undefined) break;
    at = stop;
  }
  return { requests, odd: undefined, used: at };
};
