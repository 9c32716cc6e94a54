import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import {
  credentialFor,
  CREDENTIALS,
  HOSTS,
  WATCHED,
  type BodyPlan,
  type HostKey,
  type Item,
  type RequestPlan,
} from './plan.ts';
import { SPELLINGS } from './spell.ts';

export type Pairs = readonly (readonly [name: string, value: string])[];

/** What a request must come to. */
export type Expectation = 'allowed' | 'denied' | 'either';

/** A request in full: as it is sent, and as it must arrive if it may. */
export type Rendered = {
  readonly id: string;
  readonly plan: RequestPlan;
  readonly method: string;
  readonly target: string;
  readonly authority: string;
  readonly headers: Pairs;
  readonly body: Buffer;
  readonly framing: 'none' | 'length' | 'chunked';
  readonly expectsContinue: boolean;
  readonly trailers: Pairs;
  readonly expected: Expectation;
  readonly credentials: readonly number[];
  readonly arrives: {
    readonly target: string;
    readonly headers: Pairs;
    readonly body: Buffer;
  };
};

export type RenderOptions = {
  readonly id: string;
  readonly placeholders: readonly string[];
  readonly host: HostKey;
  /** Whether anything may be reached over this connection at all. */
  readonly reachable: boolean;
  readonly tls: boolean;
  readonly port: number;
  readonly watches: boolean;
};

const ENCODERS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gzipSync(bytes),
  deflate: (bytes) => deflateSync(bytes),
  br: (bytes) => brotliCompressSync(bytes),
  zstd: (bytes) => zstdCompressSync(bytes),
};
const TYPES: Readonly<Record<BodyPlan['type'], string>> = {
  none: '',
  text: 'text/plain',
  json: 'application/json',
  form: 'application/x-www-form-urlencoded',
  binary: 'application/octet-stream',
};
const DEFAULT_PORTS: Readonly<Record<string, number>> = { true: 443, false: 80 };

const filler = (type: BodyPlan['type'], bytes: number): string =>
  type === 'binary'
    ? Array.from({ length: bytes }, (_, index) => String.fromCharCode((index * 7) % 256)).join('')
    : 'words and 1.0 numbers '.repeat(Math.ceil(bytes / 22)).slice(0, bytes);

/** The body's text, with what stands in it. `form` and `json` hold their field where it is given. */
const bodyText = (
  type: BodyPlan['type'],
  bytes: number,
  field: { json?: string; form?: string },
  stray: string,
): string => {
  const rest = filler(type, bytes);
  if (type === 'json') {
    const auth = field.json === undefined ? '{}' : `{ "token" :${JSON.stringify(field.json)} }`;
    return `{"auth":${auth},"n":1.0,"rest":${JSON.stringify(rest)},"stray":${JSON.stringify(stray)}}`;
  }
  if (type === 'form') {
    const secret =
      field.form === undefined
        ? ''
        : `&client_secret=${encodeURIComponent(field.form).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)}`;
    return `a=%20+b${secret}&rest=${rest.replaceAll(' ', '+')}&stray=${encodeURIComponent(stray)}`;
  }
  return `${rest.slice(0, bytes >> 1)}${stray}${rest.slice(bytes >> 1)}`;
};

/** Makes a request out of its plan, and says what must become of it. */
export const render = (plan: RequestPlan, options: RenderOptions): Rendered => {
  const { id, placeholders, host, tls, port } = options;
  const planned: RequestPlan = plan.names === host ? { ...plan, names: 'same' } : plan;
  const isWatched = (item: Item): boolean => item.value === 'watched';
  // Own items once each; a body holds one kind of field.
  const own = planned.items
    .filter((item) => item.place === 'own' && !isWatched(item))
    .map(({ value }) => credentialFor(Number(value), host))
    .filter((value, index, all) => all.indexOf(value) === index)
    .filter((value, _, all) => value !== 4 || !all.includes(3));
  const stray = planned.items.find((item) => item.place !== 'own');
  const strayText =
    stray === undefined
      ? ''
      : SPELLINGS[stray.spelling](
          stray.value === 'watched' ? WATCHED : (placeholders[stray.value] ?? ''),
        );
  const strayAt = (place: Item['place']): string => (stray?.place === place ? strayText : '');

  let { type } = planned.body;
  if (own.includes(3)) type = 'json';
  else if (own.includes(4)) type = 'form';
  else if (type === 'none' && (stray?.place === 'body' || stray?.place === 'trailer'))
    type = 'text';
  const method = planned.method === 'HEAD' && type !== 'none' ? 'POST' : planned.method;
  if (method === 'HEAD') type = 'none';
  // In the text of another format it would be spelt twice over.
  if (
    stray?.place === 'body' &&
    stray.spelling === 'UTF-16' &&
    !own.includes(3) &&
    !own.includes(4)
  )
    type = 'binary';
  const { coding } = planned.body;
  const coded = type !== 'none' && coding !== '';
  const trailing = type !== 'none' && (planned.body.trailer || stray?.place === 'trailer');
  const chunked = type !== 'none' && (planned.body.chunked || trailing);

  const fill = (secret: boolean): { target: string; headers: Pairs; body: Buffer } => {
    const valueOf = (index: number): string =>
      (secret ? CREDENTIALS[index]?.secret : placeholders[index]) ?? '';
    const has = (index: number): boolean => own.includes(index);
    const escape = (text: string): string =>
      encodeURIComponent(text).replaceAll(
        /[!'()*]/g,
        (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`,
      );
    const segments = [
      '',
      'r',
      id,
      ...planned.segments,
      ...(has(2) ? [`bot${valueOf(2)}`] : []),
      ...(stray?.place === 'path' ? [strayText] : []),
    ];
    const query = [
      ...(planned.query ? ['q=1&empty=&plus=a+b'] : []),
      ...(has(1) ? [`key=${escape(valueOf(1))}`] : []),
      ...(stray?.place === 'query' ? [`note=${strayText}`] : []),
    ].join('&');
    const basic = (text: string): string =>
      `Basic ${Buffer.from(`user:${text}`).toString('base64')}`;
    const headers: (readonly [string, string])[] = [
      ['x-id', id],
      ['accept', '*/*'],
      ['x-twice', 'one'],
      ['x-twice', 'two,  three'],
    ];
    if (has(0)) headers.push(['authorization', `Bearer ${valueOf(0)}`]);
    if (has(6)) headers.push(['authorization', basic(valueOf(6))]);
    if (has(5)) headers.push(['x-api-key', valueOf(5)]);
    if (stray?.place === 'basic') headers.push(['authorization', basic(strayText)]);
    if (stray?.place === 'header') headers.push(['x-note', `a ${strayText} b`]);
    if (stray?.place === 'cookie') headers.push(['cookie', `a=b; c=${strayText}`]);
    if (stray?.place === 'header name') headers.push([`x-${strayText.toLowerCase()}`, 'v']);
    if (type !== 'none') headers.push(['content-type', TYPES[type]]);
    if (coded) headers.push(['content-encoding', coding]);
    const text = bodyText(
      type,
      planned.body.bytes,
      {
        ...(has(3) ? { json: valueOf(3) } : {}),
        ...(has(4) ? { form: valueOf(4) } : {}),
      },
      strayAt('body'),
    );
    const bytes = type === 'none' ? Buffer.alloc(0) : Buffer.from(text, 'latin1');
    return {
      target: `${segments.join('/')}${query === '' ? '' : `?${query}`}`,
      headers,
      body: coded ? (ENCODERS[coding]?.(bytes) ?? bytes) : bytes,
    };
  };
  const sent = fill(false);
  const arrives = fill(true);

  const rightPlace = (index: number): Expectation => {
    const credential = CREDENTIALS[index];
    if (credential === undefined || credential.host !== host || !tls) return 'denied';
    if ((index === 3 || index === 4) && coded) return 'denied';
    if (index !== 5) return 'allowed';
    const [first, second] = planned.segments;
    if ((method !== 'GET' && method !== 'POST') || first !== 'in') return 'denied';
    // A body that may name another method cannot be read.
    if (type === 'form' && coded) return 'denied';
    return second === undefined ? 'either' : 'allowed';
  };
  const authorizations = sent.headers.filter(([name]) => name === 'authorization').length;
  const twiceSpelt =
    stray?.place === 'body' && stray.spelling === 'UTF-16' && (type === 'json' || type === 'form');
  const known = stray !== undefined && (!isWatched(stray) || options.watches) && !twiceSpelt;
  const basicIsRight =
    stray?.place === 'basic' &&
    stray.value === 6 &&
    strayText === placeholders[6] &&
    host === 'plain';
  const verdicts: Expectation[] = [
    ...(options.reachable && planned.names === 'same' ? [] : (['denied'] as const)),
    ...own.map(rightPlace),
    ...(known && !basicIsRight ? (['denied'] as const) : []),
    ...(basicIsRight ? (['either'] as const) : []),
    ...(twiceSpelt ? (['either'] as const) : []),
    // A slash in it, encoded twice, is refused by itself.
    ...(stray !== undefined && isWatched(stray) && stray.place === 'path'
      ? (['either'] as const)
      : []),
    ...(authorizations > 1 ? (['denied'] as const) : []),
  ];
  const expected = verdicts.includes('denied')
    ? 'denied'
    : verdicts.includes('either')
      ? 'either'
      : 'allowed';
  const named = planned.names === 'same' ? HOSTS[host] : HOSTS[planned.names];
  const usual = DEFAULT_PORTS[String(tls)] === port;
  return {
    id,
    plan: planned,
    method,
    target: sent.target,
    authority: usual ? named : `${named}:${String(port)}`,
    headers: sent.headers,
    body: sent.body,
    framing: type === 'none' ? 'none' : chunked ? 'chunked' : 'length',
    expectsContinue: type !== 'none' && planned.body.expectsContinue,
    trailers: trailing
      ? [['x-sum', '1234'], ...(stray?.place === 'trailer' ? [['x-note', strayText] as const] : [])]
      : [],
    expected,
    credentials: own,
    arrives: basicIsRight ? { ...arrives, headers: [] } : arrives,
  };
};
