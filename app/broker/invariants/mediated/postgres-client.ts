import type { Duplex } from 'node:stream';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { writeCut } from '../http-clients.ts';
import {
  createWire,
  GSSENC_REQUEST,
  parametersBody,
  PROTOCOL_3,
  saslResponse,
  SSL_REQUEST,
  startPacket,
  wireMessage,
  type Wire,
} from './postgres-wire.ts';
import { createReferenceClient, type BindingFlag } from './reference-scram.ts';

export type LoginPlan = {
  readonly gssenc: boolean;
  readonly tls: 'none' | 'asked' | 'direct';
  readonly binds: boolean;
  readonly minor: number;
  readonly cuts: readonly number[];
};

/** A program's side of one connection. */
export type Session = {
  readonly stream: Duplex;
  /** The error that ended the login; undefined where it is ready for queries. */
  readonly refused: string | undefined;
  readonly ready: boolean;
  readonly processId: number;
  readonly key: number;
  /** Parameters that the server told, in order. */
  readonly told: readonly string[];
  /** All that the sandbox was given. */
  readonly given: () => Buffer;
  /** Sends a message and waits for the server to be ready again; undefined where it left. */
  readonly query: (message: Buffer) => Promise<Buffer | undefined>;
};

const secure = (
  stream: Duplex,
  servername: string,
  ca: string,
  direct: boolean,
): Promise<TLSSocket | undefined> =>
  new Promise((resolve) => {
    const tls = connectTls({
      socket: stream,
      servername,
      ca,
      ...(direct ? { ALPNProtocols: ['postgresql'] } : {}),
    });
    tls.once('secureConnect', () => resolve(tls));
    tls.on('error', () => resolve(undefined));
    tls.once('close', () => resolve(undefined));
  });

/** Logs in as libpq does: encryption as asked for, then SCRAM, bound to the certificate where there is one. */
export const logIn = async (
  carrier: Duplex,
  plan: LoginPlan,
  options: {
    readonly servername: string;
    readonly ca: string;
    readonly parameters: readonly (readonly [string, string])[];
    readonly password: string;
  },
): Promise<Session> => {
  let stream = carrier;
  let certificate: Buffer | undefined;
  let wire: Wire | undefined;
  const before: Buffer[] = [];
  const gone = (refused: string): Session => ({
    stream,
    refused,
    ready: false,
    processId: 0,
    key: 0,
    told: [],
    given: () => Buffer.concat([...before, wire?.all() ?? Buffer.alloc(0)]),
    query: () => Promise.resolve(undefined),
  });
  if (plan.tls !== 'direct') {
    wire = createWire(stream);
    if (plan.gssenc) {
      stream.write(startPacket(GSSENC_REQUEST));
      if ((await wire.byte()) !== 'N') return gone('no answer');
    }
    if (plan.tls === 'asked') {
      stream.write(startPacket(SSL_REQUEST));
      if ((await wire.byte()) !== 'S') return gone('no TLS');
      stream.removeAllListeners('data');
    }
  }
  if (plan.tls !== 'none') {
    if (wire !== undefined) before.push(wire.all());
    const tls = await secure(stream, options.servername, options.ca, plan.tls === 'direct');
    if (tls === undefined) return gone('no handshake');
    const { raw } = tls.getPeerCertificate();
    certificate = raw;
    stream = tls;
    wire = createWire(stream);
  }
  const spoken = wire ?? createWire(stream);
  wire = spoken;
  const flag: BindingFlag =
    certificate !== undefined && plan.binds ? 'p=tls-server-end-point' : 'n';
  const scram = createReferenceClient(options.password, flag, certificate);
  await writeCut(
    stream,
    startPacket(PROTOCOL_3 + plan.minor, parametersBody(options.parameters)),
    plan.cuts,
  );
  const told: string[] = [];
  let keys = { processId: 0, key: 0 };
  let verified = false;
  for (;;) {
    const message = await spoken.message();
    if (message === undefined) return gone('broken off');
    const { type, body } = message;
    if (type === 'E') return gone(body.toString('latin1'));
    if (type === 'S') told.push(body.toString('latin1'));
    if (type === 'K') keys = { processId: body.readInt32BE(0), key: body.readInt32BE(4) };
    if (type === 'Z') break;
    if (type !== 'R') continue;
    const kind = body.readInt32BE(0);
    const text = body.toString('latin1', 4);
    if (kind === 10)
      await writeCut(
        stream,
        saslResponse(flag === 'n' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-256-PLUS', scram.first),
        plan.cuts,
      );
    if (kind === 11) await writeCut(stream, wireMessage('p', scram.final(text)), plan.cuts);
    if (kind === 12) verified = text === `v=${scram.signature()}`;
  }
  return {
    ...gone(''),
    stream,
    refused: verified ? undefined : 'the broker did not prove that it knows the placeholder',
    ready: verified,
    ...keys,
    told,
    query: async (bytes) => {
      await writeCut(stream, bytes, plan.cuts);
      const parts: Buffer[] = [];
      for (;;) {
        const message = await spoken.message();
        if (message === undefined) return undefined;
        parts.push(wireMessage(message.type, message.body));
        if (message.type === 'Z') return Buffer.concat(parts);
      }
    },
  };
};
