import { assertNever } from '../../kit/index.ts';
import { openCarrier, openTls, withinTime } from './carriers.ts';
import { speakHttp1, speakHttp2, type Exchanged } from './http-clients.ts';
import { speakRaw, speakWebSocket, type WebSocketSaid } from './other-clients.ts';
import { HOSTS, WATCHED, type ConnectionPlan, type Item, type Trial } from './plan.ts';
import { render, type Rendered } from './render.ts';
import { SPELLINGS } from './spell.ts';
import { secretOf } from './upstreams.ts';
import { RAW_PORT, type World } from './world.ts';

type PlanOf<Speaks> = Extract<ConnectionPlan, { readonly speaks: Speaks }>;

/** What became of one connection. */
export type Outcome =
  | {
      readonly type: 'http';
      readonly plan: PlanOf<'h1' | 'h2' | 'absolute'>;
      readonly protocol: 'h1' | 'h2';
      readonly port: number;
      /** Whether anything may be reached over it. */
      readonly reachable: boolean;
      readonly requests: readonly Rendered[];
      readonly exchanged: Exchanged;
    }
  | {
      readonly type: 'ws';
      readonly plan: PlanOf<'ws'>;
      readonly id: string;
      readonly trips: boolean;
      readonly sent: readonly Buffer[];
      readonly said: WebSocketSaid;
    }
  | {
      readonly type: 'raw' | 'pass';
      readonly plan: PlanOf<'raw' | 'pass'>;
      readonly id: string;
      readonly expected: 'allowed' | 'denied' | 'tripped';
      readonly sent: Buffer;
      readonly raw: Buffer;
    };

let count = 0;
const nextId = (): string => {
  count += 1;
  return `n${String(count)}`;
};

const spellItem = (item: Item | undefined, placeholders: readonly string[]): string =>
  item === undefined
    ? ''
    : SPELLINGS[item.spelling](
        item.value === 'watched' ? WATCHED : (placeholders[item.value] ?? ''),
      );

const runHttp = async (world: World, plan: PlanOf<'h1' | 'h2' | 'absolute'>): Promise<Outcome> => {
  const { rig, upstreams } = world;
  const { host, sni, carrier, speaks } = plan;
  const absolute = speaks === 'absolute';
  const port = host === 'rebinding' ? upstreams.ports.rebinding : absolute ? 80 : 443;
  const allowed =
    host === 'modern' || host === 'plain' || host === 'bare' || (host === 'clear' && absolute);
  const reachable = allowed && (sni === 'same' || HOSTS[sni] === HOSTS[host]);
  const requests = plan.requests.map((request) => {
    const id = nextId();
    upstreams.answers.set(id, request.answer);
    // In absolute form another name is another destination, not a contradiction.
    return render(absolute ? { ...request, names: 'same' } : request, {
      id,
      placeholders: world.placeholders,
      host,
      reachable,
      tls: !absolute,
      port,
      watches: world.watches,
    });
  });
  if (absolute) {
    const stream = rig.relay.open('192.0.2.80:8080');
    const exchanged = await speakHttp1(stream, requests, true);
    return { type: 'http', plan, protocol: 'h1', port, reachable, requests, exchanged };
  }
  const stream = await openCarrier(rig, carrier, HOSTS[host], port);
  const tls = await openTls(stream, {
    servername: sni === 'same' ? HOSTS[host] : HOSTS[sni],
    ca: rig.broker.authority.certificatePem,
    alpn: speaks === 'h2' ? ['h2', 'http/1.1'] : ['http/1.1'],
  });
  const protocol = tls.alpnProtocol === 'h2' ? 'h2' : 'h1';
  const exchanged =
    protocol === 'h2' ? await speakHttp2(tls, requests) : await speakHttp1(tls, requests, false);
  stream.destroy();
  return { type: 'http', plan, protocol, port, reachable, requests, exchanged };
};

const runWebSocket = async (world: World, plan: PlanOf<'ws'>): Promise<Outcome> => {
  const { rig, upstreams, placeholders } = world;
  const id = nextId();
  upstreams.says.set(
    id,
    plan.messages.map(({ leak }) =>
      leak === undefined ? '' : ` ${SPELLINGS[leak.spelling](secretOf(leak.secret))} `,
    ),
  );
  const sent = plan.messages.map(({ text, item }) =>
    Buffer.from(`${text} ${spellItem(item, placeholders)}`),
  );
  const stream = await openCarrier(rig, plan.carrier, HOSTS.plain, 443);
  const tls = await openTls(stream, {
    servername: HOSTS.plain,
    ca: rig.broker.authority.certificatePem,
    alpn: ['http/1.1'],
  });
  const said = await speakWebSocket(tls, {
    url: `ws://${HOSTS.plain}/r/${id}/in/ws`,
    headers: {
      host: HOSTS.plain,
      'x-id': id,
      ...(plan.injects ? { 'x-api-key': placeholders[5] ?? '' } : {}),
    },
    messages: plan.messages.map(({ binary, fragments }, index) => ({
      data: sent[index] ?? Buffer.alloc(0),
      binary,
      fragments,
    })),
  });
  const trips = plan.messages.some(
    ({ item }) => item !== undefined && (item.value !== 'watched' || world.watches),
  );
  stream.destroy();
  return { type: 'ws', plan, id, trips, sent, said };
};

const runBytes = async (world: World, plan: PlanOf<'raw' | 'pass'>): Promise<Outcome> => {
  const { rig, upstreams, placeholders } = world;
  const id = nextId();
  const said =
    plan.leak === undefined
      ? []
      : [` ${SPELLINGS[plan.leak.spelling](secretOf(plan.leak.secret))} `];
  upstreams.says.set(id, said);
  if (plan.speaks === 'raw') {
    const sent = Buffer.from(
      `\0${id} ${plan.text} ${spellItem(plan.item, placeholders)} `,
      'latin1',
    );
    const stream = await openCarrier(rig, plan.carrier, 'raw.test', RAW_PORT);
    const { raw } = await speakRaw(stream, sent, plan.cuts);
    const watched = plan.item?.value === 'watched' && !world.watches;
    const trips = (plan.item !== undefined && !watched) || plan.leak !== undefined;
    return { type: 'raw', plan, id, expected: trips ? 'tripped' : 'allowed', sent, raw };
  }
  const stream = await openCarrier(rig, plan.carrier, 'pinned.test', 443);
  const sent = Buffer.from(
    `POST /r/${id} HTTP/1.1\r\nHost: pinned.test\r\nX-Id: ${id}\r\nConnection: close\r\nContent-Length: ${String(Buffer.byteLength(plan.text))}\r\n\r\n${plan.text}`,
  );
  upstreams.answers.set(id, {
    status: 200,
    coding: '',
    framing: 'length',
    writes: 1,
    mirror: true,
    filler: 10,
    leaks: [],
  });
  try {
    const tls = await openTls(stream, {
      servername: plan.sni === 'same' ? 'pinned.test' : HOSTS[plan.sni],
      ca: undefined,
      alpn: ['http/1.1'],
    });
    const { raw } = await speakRaw(tls, sent, plan.cuts);
    return { type: 'pass', plan, id, expected: 'allowed', sent, raw };
  } catch {
    return { type: 'pass', plan, id, expected: 'denied', sent, raw: Buffer.alloc(0) };
  } finally {
    stream.destroy();
  }
};

const runConnection = (world: World, plan: ConnectionPlan): Promise<Outcome> => {
  switch (plan.speaks) {
    case 'h1':
    case 'h2':
    case 'absolute':
      return runHttp(world, plan);
    case 'ws':
      return runWebSocket(world, plan);
    case 'raw':
    case 'pass':
      return runBytes(world, plan);
    default:
      return assertNever(plan, 'opening a connection');
  }
};

/** Opens all connections of a trial at once and hears each to its end. */
export const runTrial = (world: World, trial: Trial): Promise<readonly Outcome[]> =>
  Promise.all(
    trial.map((plan) =>
      withinTime(runConnection(world, plan), `${plan.speaks} over ${plan.carrier} to ${plan.host}`),
    ),
  );
