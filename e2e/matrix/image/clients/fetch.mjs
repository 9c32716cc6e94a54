// Node's own fetch.
const [url] = process.argv.slice(2);
const answer = await fetch(url, {
  headers: { authorization: `Bearer ${process.env.MATRIX_TOKEN}` },
});
console.log(answer.status, JSON.stringify([...answer.headers]));
console.log(await answer.text());
