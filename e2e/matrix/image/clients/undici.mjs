// undici from npm, by its own request function.
import { request } from 'undici';

const [url] = process.argv.slice(2);
const answer = await request(url, {
  headers: { authorization: `Bearer ${process.env.MATRIX_TOKEN}` },
});
console.log(answer.statusCode, JSON.stringify(answer.headers));
console.log(await answer.body.text());
