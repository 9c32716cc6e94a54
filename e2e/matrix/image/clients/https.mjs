// Node's https module.
import { get } from 'node:https';

const [url] = process.argv.slice(2);
get(url, { headers: { authorization: `Bearer ${process.env.MATRIX_TOKEN}` } }, (answer) => {
  console.log(answer.statusCode, JSON.stringify(answer.headers));
  answer.pipe(process.stdout);
});
