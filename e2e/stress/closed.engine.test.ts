import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { waitForState } from '../fixtures/inside.ts';
import { HOSTS, openArena, type Arena } from '../hostile/arena.ts';

/** Connections at once from inside. */
const STORM = 1000;

/** Good requests, refused ones, garbage, and connections that say nothing; prints how each sort went. */
const STORM_SCRIPT = `
const https = require('node:https'), net = require('node:net');
const counts = {};
const count = (what) => { counts[what] = (counts[what] ?? 0) + 1; };
const get = (host, path, what) => new Promise((resolve) => {
  const call = https.get({ host, path, agent: false, rejectUnauthorized: true }, (answer) => {
    answer.resume();
    answer.on('end', () => { count(what + ' ' + answer.statusCode); resolve(); });
  });
  call.on('error', (why) => { count(what + ' ' + why.code); resolve(); });
});
const raw = (host, bytes, what) => new Promise((resolve) => {
  const socket = net.connect(443, host, () => { if (bytes) socket.write(bytes); else setTimeout(() => socket.destroy(), 2000); });
  let how = 'closed';
  socket.on('data', () => count(what + ' answered'));
  socket.on('error', (why) => { how = why.code; });
  socket.on('close', () => { count(what + ' ' + how); resolve(); });
});
const one = (id) => [
  () => get('${HOSTS.allowed}', '/storm-' + id, 'good'),
  () => get('${HOSTS.denied}', '/storm-' + id, 'denied'),
  () => raw('${HOSTS.allowed}', Buffer.from([1, 255, 0, id & 255, 13, 10]), 'garbage'),
  () => raw('${HOSTS.denied}', undefined, 'silent'),
][id % 4]();
Promise.all(Array.from({ length: ${String(STORM)} }, (_, id) => one(id))).then(() => console.log(JSON.stringify(counts)));
`;

/** Processes that this one has started and that run a broker. */
const brokers = (): readonly number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const parent = / \d+ \((?:.*)\) . (\d+)/.exec(
          ` ${readFileSync(`/proc/${name}/stat`, 'utf8')}`,
        )?.[1];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8');
        return parent === String(process.pid) && command.includes('broker/process/main');
      } catch {
        // Gone in between.
        return false;
      }
    })
    .map(Number);
const descriptors = (pid: number | 'self'): number => readdirSync(`/proc/${String(pid)}/fd`).length;

const kill = (session: string, role: string): void => {
  const id = execFileSync(
    'docker',
    [
      'ps',
      '-q',
      '--filter',
      `label=dev.glovebox.session=${session}`,
      '--filter',
      `label=dev.glovebox.role=${role}`,
    ],
    { encoding: 'utf8' },
  ).trim();
  execFileSync('docker', ['kill', id], { stdio: 'pipe' });
};

let arena: Arena;
beforeEach(async () => {
  arena = await openArena();
});
afterEach(async () => {
  await arena.close();
});

describe('a session under stress', () => {
  it(`lets ${String(STORM)} connections at once through as far as they are allowed`, async () => {
    const { inside, allowed, denied } = arena;
    await inside.run(`curl -sS https://${HOSTS.allowed}/warm`);
    const [broker = 0] = brokers();
    expect(broker).toBeGreaterThan(0);
    const before = [descriptors(broker), descriptors('self')] as const;
    const storm = await inside.run(
      `cat > /tmp/storm.cjs <<'END'\n${STORM_SCRIPT}\nEND\nulimit -n 4096; node /tmp/storm.cjs`,
      120_000,
    );
    const each = STORM / 4;
    expect(JSON.parse(storm.stdout) as unknown).toEqual({
      'good 200': each,
      'denied 403': each,
      'garbage ECONNRESET': each,
      'silent closed': each,
    });
    expect(allowed.requests.filter(({ url }) => url.startsWith('/storm-')).length).toBe(each);
    expect(denied.connections()).toBe(0);
    const { stdout } = await inside.run(`curl -sS -m 20 https://${HOSTS.allowed}/after`);
    expect(stdout).toContain('/after');
    await expect
      .poll(() => descriptors(broker), { timeout: 20_000 })
      .toBeLessThanOrEqual(before[0] + 4);
    expect(descriptors('self')).toBeLessThanOrEqual(before[1] + 8);
  });

  it('breaks what was under way when the broker is killed, and comes back by itself', async () => {
    const { inside, allowed } = arena;
    const [broker = 0] = brokers();
    await inside.run(
      `{ curl -sS -m 60 --limit-rate 20k -T - https://${HOSTS.allowed}/cut < /dev/zero; echo "ended $?"; } > /tmp/cut 2>&1 &`,
    );
    await expect.poll(() => allowed.connections()).toBeGreaterThan(0);
    // In the midst of it.
    await inside.run('sleep 2');
    process.kill(broker, 'SIGKILL');
    const { stdout } = await inside.run(
      `for i in $(seq 50); do curl -sS -m 5 https://${HOSTS.allowed}/again && break; sleep 0.2; done; for i in $(seq 50); do grep ended /tmp/cut && break; sleep 0.2; done; cat /tmp/cut`,
    );
    expect(stdout).toContain('/again');
    expect(stdout).toMatch(/ended (?!0)\d+/);
    expect(allowed.requests.map(({ url }) => url)).toEqual(['/again']);
    const events = await arena.events();
    expect(events.some((event) => event.kind === 'gap' && event.source === 'broker')).toBe(true);
    expect(events.some((event) => event.kind === 'session' && event.op === 'broker-back')).toBe(
      true,
    );
  });

  it.each(['gateway', 'sandbox'])(
    'ends when its %s is killed, and nothing leaves',
    async (role) => {
      const { inside, allowed, host } = arena;
      await inside.run(
        `(head -c 1000; sleep 60) < /dev/zero | curl -sS -m 60 -T - https://${HOSTS.allowed}/cut > /tmp/cut 2>&1 &\n(sleep 1; while true; do curl -sS -m 2 https://${HOSTS.allowed}/on > /dev/null; done) > /dev/null 2>&1 &\nsleep 2`,
      );
      await expect.poll(() => allowed.requests.length, { timeout: 10_000 }).toBeGreaterThan(0);
      kill(inside.session, role);
      const summary = await waitForState(host, inside.session, ['review', 'closed', 'failed']);
      expect(summary.problem?.code ?? 'ended').toMatch(/^(gateway|guard|sandbox)\.|^ended$/);
      const after = allowed.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      expect(allowed.requests.length).toBe(after);
      // What was cut short never looked whole to the server.
      expect(allowed.requests.map(({ url }) => url)).not.toContain('/cut');
      expect(brokers()).toEqual([]);
    },
  );
});
