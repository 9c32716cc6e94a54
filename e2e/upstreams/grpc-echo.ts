import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type MethodDefinition,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
} from '@grpc/grpc-js';
import type { Closable } from '../../app/kit/index.ts';
import type { Identity } from './authority.ts';

/** One call as the service saw it. */
export type GrpcCall = { readonly path: string; readonly authorization: string };

/** A gRPC service that says what it was told, and the caller's token in metadata, messages and trailers. */
export type GrpcEcho = Closable & { readonly port: number; readonly seen: readonly GrpcCall[] };

const same = (bytes: Buffer): Buffer => bytes;

const method = (name: string, streams: boolean): MethodDefinition<Buffer, Buffer> => ({
  path: `/matrix.Echo/${name}`,
  requestStream: streams,
  responseStream: streams,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

/** Starts `matrix.Echo` (a unary call and a stream both ways, of bytes) for who brings this bearer token. */
export const startGrpcEcho = async (identity: Identity, secret: string): Promise<GrpcEcho> => {
  const seen: GrpcCall[] = [];
  const login = (path: string, metadata: Metadata): boolean => {
    const authorization = String(metadata.get('authorization')[0] ?? '');
    seen.push({ path, authorization });
    return authorization === `Bearer ${secret}`;
  };
  const said = (name: string): Metadata => {
    const metadata = new Metadata();
    metadata.set(name, `Bearer ${secret}`);
    return metadata;
  };
  const refusal = { code: status.UNAUTHENTICATED, details: 'log in' };
  const echo = (bytes: Buffer): Buffer =>
    Buffer.concat([bytes, Buffer.from(` from ${secret}, still in one message`)]);
  const server = new Server();
  server.addService(
    { unary: method('Unary', false), both: method('Both', true) },
    {
      unary: (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
        if (!login('/matrix.Echo/Unary', call.metadata)) {
          answer(refusal);
          return;
        }
        call.sendMetadata(said('x-you-sent'));
        answer(null, echo(call.request), said('x-trailer'));
      },
      both: (call: ServerDuplexStream<Buffer, Buffer>) => {
        if (!login('/matrix.Echo/Both', call.metadata)) {
          call.emit('error', refusal);
          return;
        }
        call.sendMetadata(said('x-you-sent'));
        call.on('data', (bytes: Buffer) => call.write(echo(bytes)));
        call.on('end', () => call.end(said('x-trailer')));
      },
    },
  );
  const credentials = ServerCredentials.createSsl(null, [
    { cert_chain: Buffer.from(identity.certificate), private_key: Buffer.from(identity.key) },
  ]);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (failure, bound) => {
      if (failure === null) resolve(bound);
      else reject(failure);
    });
  });
  return {
    port,
    seen,
    close: () => {
      server.forceShutdown();
    },
  };
};
