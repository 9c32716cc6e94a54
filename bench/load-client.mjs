// Runs inside the sandbox and on the host alike: the same load, once through the broker and once direct.
// Plain JavaScript, because the project folder is all that the sandbox sees of us.
// Arguments: URL of the stand-in; prints one JSON object.
import { Agent, get, request } from 'node:https';

const [base] = process.argv.slice(2);
const WARM_UP = 50;
const SEQUENTIAL = 400;
const NEW_CONNECTIONS = 60;
const DOWNLOAD_MIB = 64;

const keptAgent = new Agent({ keepAlive: true, maxSockets: 1 });

const once = (path, agent) =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    get(new URL(path, base), { agent }, (response) => {
      if (response.statusCode !== 200) {
        reject(new Error(`status ${response.statusCode}`));
        return;
      }
      let bytes = 0;
      response.on('data', (chunk) => {
        bytes += chunk.length;
      });
      response.on('end', () => resolve({ ms: performance.now() - began, bytes }));
      response.on('error', reject);
    }).on('error', reject);
  });

const upload = (mebibytes) =>
  new Promise((resolve, reject) => {
    const began = performance.now();
    const chunk = Buffer.alloc(1 << 20, 120);
    const outgoing = request(
      new URL('/upload', base),
      { method: 'POST', agent: keptAgent, headers: { 'content-length': mebibytes << 20 } },
      (response) => {
        response.resume();
        response.on('end', () => resolve(performance.now() - began));
      },
    );
    outgoing.on('error', reject);
    let left = mebibytes;
    const write = () => {
      while (left > 0) {
        left -= 1;
        if (!outgoing.write(chunk)) {
          outgoing.once('drain', write);
          return;
        }
      }
      outgoing.end();
    };
    write();
  });

const percentile = (sorted, share) =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

const summary = (times) => {
  const sorted = times.toSorted((a, b) => a - b);
  return { p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
};

const sequence = async (count, agentOf) => {
  const times = [];
  for (let at = 0; at < count; at += 1) {
    const agent = agentOf();
    times.push((await once('/small', agent)).ms);
    if (agent !== keptAgent) agent.destroy();
  }
  return summary(times);
};

const parallel = async (workers, each) => {
  const agent = new Agent({ keepAlive: true, maxSockets: workers });
  const began = performance.now();
  await Promise.all(
    Array.from({ length: workers }, async () => {
      for (let at = 0; at < each; at += 1) await once('/small', agent);
    }),
  );
  agent.destroy();
  return (workers * each) / ((performance.now() - began) / 1000);
};

await sequence(WARM_UP, () => keptAgent);
const kept = await sequence(SEQUENTIAL, () => keptAgent);
const fresh = await sequence(NEW_CONNECTIONS, () => new Agent({ keepAlive: false }));
const requestsPerSecond = await parallel(64, 40);
const down = await once(`/large?mib=${DOWNLOAD_MIB}`, keptAgent);
const up = await upload(DOWNLOAD_MIB);
keptAgent.destroy();
process.stdout.write(
  `${JSON.stringify({
    kept,
    fresh,
    requestsPerSecond,
    downMiBs: down.bytes / (1 << 20) / (down.ms / 1000),
    upMiBs: DOWNLOAD_MIB / (up / 1000),
  })}\n`,
);
