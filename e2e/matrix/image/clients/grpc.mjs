// @grpc/grpc-js: one unary call and one stream both ways, trailers printed.
import grpc from '@grpc/grpc-js';

const [target] = process.argv.slice(2);
const same = (value) => value;
const Echo = grpc.makeGenericClientConstructor({
  unary: {
    path: '/matrix.Echo/Unary',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
  both: {
    path: '/matrix.Echo/Both',
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  },
});
const client = new Echo(target, grpc.credentials.createSsl());
const metadata = () => {
  const made = new grpc.Metadata();
  made.set('authorization', `Bearer ${process.env.MATRIX_TOKEN}`);
  return made;
};
const done = [
  new Promise((resolve, reject) => {
    const call = client.unary(Buffer.from('one'), metadata(), (failure, answer) => {
      if (failure === null) console.log('unary', String(answer));
      else reject(failure);
    });
    call.on('metadata', (head) => console.log('unary head', JSON.stringify(head.getMap())));
    call.on('status', ({ code, metadata: trailers }) => {
      console.log('unary trailers', code, JSON.stringify(trailers.getMap()));
      resolve();
    });
  }),
  new Promise((resolve, reject) => {
    const call = client.both(metadata());
    let said = 1;
    // Each message is sent only once the one before came back: a stream that is held up would stand still.
    call.on('data', (answer) => {
      console.log('both', String(answer));
      if (said === 3) call.end();
      else call.write(Buffer.from(`message ${++said}`));
    });
    call.on('error', reject);
    call.on('status', ({ code, metadata: trailers }) => {
      console.log('both trailers', code, JSON.stringify(trailers.getMap()));
      resolve();
    });
    call.write(Buffer.from('message 1'));
  }),
];
await Promise.all(done);
client.close();
