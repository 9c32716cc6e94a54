// Node's http2 module.
import { connect } from 'node:http2';

const url = new URL(process.argv[2]);
const session = connect(url.origin);
const stream = session.request({
  ':path': url.pathname,
  authorization: `Bearer ${process.env.MATRIX_TOKEN}`,
});
stream.on('response', (head) => console.log(JSON.stringify(head)));
stream.on('end', () => session.close());
stream.pipe(process.stdout);
