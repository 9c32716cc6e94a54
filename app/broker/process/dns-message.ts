/** Largest DNS query read, in bytes; a query for an address needs fewer than 300. */
export const MAX_DNS_QUERY_BYTES = 4096;
const MAX_NAME_BYTES = 255;
const MAX_LABEL_BYTES = 63;
/** Fewest bytes of a DNS message: its header (RFC 1035 4.1.1). */
export const DNS_HEADER_BYTES = 12;
const OPT = 41;
const OPT_PAYLOAD_BYTES = 1232;

/** Response codes of RFC 1035 4.1.1 that this zone gives. */
export const RCODE = {
  noError: 0,
  formErr: 1,
  servFail: 2,
  nxDomain: 3,
  notImp: 4,
  refused: 5,
} as const;
export type Rcode = (typeof RCODE)[keyof typeof RCODE];

const TYPES: ReadonlyMap<number, string> = new Map([
  [1, 'A'],
  [2, 'NS'],
  [5, 'CNAME'],
  [6, 'SOA'],
  [10, 'NULL'],
  [12, 'PTR'],
  [13, 'HINFO'],
  [15, 'MX'],
  [16, 'TXT'],
  [28, 'AAAA'],
  [29, 'LOC'],
  [33, 'SRV'],
  [35, 'NAPTR'],
  [43, 'DS'],
  [48, 'DNSKEY'],
  [52, 'TLSA'],
  [64, 'SVCB'],
  [65, 'HTTPS'],
  [252, 'AXFR'],
  [255, 'ANY'],
  [257, 'CAA'],
]);

export type DnsQuery = {
  readonly id: number;
  readonly flags: number;
  /** The question section as sent, for the answer. */
  readonly question: Buffer;
  /** Presentation form without the last dot; bytes outside printable ASCII as `\DDD`. The root is `.`. */
  readonly name: string;
  /** `A`, `AAAA`, … or `TYPE12345` (RFC 3597). */
  readonly type: string;
  readonly internet: boolean;
  readonly edns: boolean;
};

export type DnsReading =
  | { readonly type: 'query'; readonly query: DnsQuery }
  /** Malformed; `id` is there where an answer can be given at all. */
  | { readonly type: 'bad'; readonly id: number | undefined; readonly rcode: Rcode };

const labelText = (label: Buffer): string => {
  let text = '';
  for (const byte of label) {
    const plain = byte > 0x20 && byte < 0x7f && byte !== 0x2e && byte !== 0x5c;
    text += plain ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
};

/** An uncompressed name at `at`: its text and where it ends. Pointers have no place in a question. */
const readName = (bytes: Buffer, at: number): { name: string; end: number } | undefined => {
  const labels: string[] = [];
  let cursor = at;
  for (;;) {
    const length = bytes[cursor];
    if (length === undefined || length > MAX_LABEL_BYTES) return undefined;
    cursor += 1;
    if (length === 0) break;
    if (cursor + length > bytes.length) return undefined;
    labels.push(labelText(bytes.subarray(cursor, cursor + length)));
    cursor += length;
    if (cursor + 1 - at > MAX_NAME_BYTES) return undefined;
  }
  return { name: labels.length === 0 ? '.' : labels.join('.'), end: cursor };
};

/** Reads one query (RFC 1035, RFC 6891): one question, nothing else but an OPT record. Never throws. */
export const readDnsQuery = (bytes: Buffer): DnsReading => {
  if (bytes.length < DNS_HEADER_BYTES || bytes.length > MAX_DNS_QUERY_BYTES) {
    return {
      type: 'bad',
      id: bytes.length >= 2 ? bytes.readUInt16BE(0) : undefined,
      rcode: RCODE.formErr,
    };
  }
  const id = bytes.readUInt16BE(0);
  const flags = bytes.readUInt16BE(2);
  const bad = (rcode: Rcode): DnsReading => ({ type: 'bad', id, rcode });
  // A response that comes as a query gets no answer, so that two servers never talk in circles.
  if ((flags & 0x8000) !== 0) return { type: 'bad', id: undefined, rcode: RCODE.formErr };
  if ((flags & 0x7800) !== 0) return bad(RCODE.notImp);
  const [questions, answers, authorities, additions] = [4, 6, 8, 10].map((at) =>
    bytes.readUInt16BE(at),
  );
  if (questions !== 1 || answers !== 0 || authorities !== 0) return bad(RCODE.formErr);
  const name = readName(bytes, DNS_HEADER_BYTES);
  if (name === undefined || name.end + 4 > bytes.length) return bad(RCODE.formErr);
  const type = bytes.readUInt16BE(name.end);
  const end = name.end + 4;
  let edns = false;
  if (additions === 1) {
    // Root name, type, class, TTL, length: eleven bytes and the data, up to the very end.
    if (bytes.length < end + 11 || bytes[end] !== 0 || bytes.readUInt16BE(end + 1) !== OPT) {
      return bad(RCODE.formErr);
    }
    if (bytes.length !== end + 11 + bytes.readUInt16BE(end + 9)) return bad(RCODE.formErr);
    edns = true;
  } else if (additions !== 0 || bytes.length !== end) {
    return bad(RCODE.formErr);
  }
  return {
    type: 'query',
    query: {
      id,
      flags,
      question: bytes.subarray(DNS_HEADER_BYTES, end),
      name: name.name,
      type: TYPES.get(type) ?? `TYPE${String(type)}`,
      internet: bytes.readUInt16BE(name.end + 2) === 1,
      edns,
    },
  };
};

/** An answer without a question, for bytes that could not be read as one. */
export const errorAnswer = (id: number, rcode: Rcode): Buffer => {
  const header = Buffer.alloc(DNS_HEADER_BYTES);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8080 | rcode, 2);
  return header;
};

/** The answer to a query: one A record where an address is given, otherwise none. */
export const answerDns = (
  query: DnsQuery,
  rcode: Rcode,
  a?: { readonly address: string; readonly ttlSeconds: number },
): Buffer => {
  const header = Buffer.alloc(DNS_HEADER_BYTES);
  header.writeUInt16BE(query.id, 0);
  // QR and RA set, RD copied.
  header.writeUInt16BE(0x8080 | (query.flags & 0x0100) | rcode, 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(a === undefined ? 0 : 1, 6);
  header.writeUInt16BE(query.edns ? 1 : 0, 10);
  const parts: Buffer[] = [header, query.question];
  if (a !== undefined) {
    const record = Buffer.alloc(16);
    record.writeUInt16BE(0xc000 | DNS_HEADER_BYTES, 0);
    record.writeUInt16BE(1, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(a.ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    a.address.split('.').forEach((part, index) => record.writeUInt8(Number(part), 12 + index));
    parts.push(record);
  }
  if (query.edns) {
    const opt = Buffer.alloc(11);
    opt.writeUInt16BE(OPT, 1);
    opt.writeUInt16BE(OPT_PAYLOAD_BYTES, 3);
    parts.push(opt);
  }
  return Buffer.concat(parts);
};
