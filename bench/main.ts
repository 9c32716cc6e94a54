import { spawn } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { z } from 'zod';
import type { StartRequest } from '../app/contract/index.ts';
import type { SessionHost } from '../app/host/index.ts';
import { unwrap } from '../app/kit/index.ts';
import { createTestFolder } from '../e2e/fixtures/folder.ts';
import { startTestHost } from '../e2e/fixtures/host.ts';
import { requestFor } from '../e2e/fixtures/inside.ts';
import { createTestAuthority } from '../e2e/upstreams/authority.ts';
import { startPlainContainers } from './plain-container.ts';
import { startBenchUpstream } from './upstream.ts';

/**
 * Speed as ratios in one run: absolute figures differ between machines and between runs, so each contender
 * is measured next to what it is compared with, and only the ratio is worth keeping.
 */

const STARTS = 7;
const ROUNDS = 3;
const HOST = 'bench.upstream.example';

const Load = z.strictObject({
  kept: z.strictObject({ p50: z.number(), p99: z.number() }),
  fresh: z.strictObject({ p50: z.number(), p99: z.number() }),
  requestsPerSecond: z.number(),
  downMiBs: z.number(),
  upMiBs: z.number(),
});
type Load = z.infer<typeof Load>;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Runs one headless session and gives its output and the time to its first byte. */
const runSession = async (
  host: SessionHost,
  request: StartRequest,
): Promise<{ readonly output: string; readonly firstByteMs: number }> => {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const began = performance.now();
  let firstByteMs = Number.NaN;
  let output = '';
  let errors = '';
  stdout.on('data', (chunk: Buffer) => {
    if (output === '') firstByteMs = performance.now() - began;
    output += chunk.toString();
  });
  stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const started = unwrap(await host.sessions.start(request, { stdin: undefined, stdout, stderr }));
  const ended = await host.sessions.ended(started.id);
  if (ended.exitCode !== 0) {
    throw new Error(
      `the session ended with ${String(ended.exitCode)}: ${ended.problem?.message ?? errors}`,
    );
  }
  return { output, firstByteMs };
};

const runDirect = (script: string, url: string, ca: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, url], {
      env: { PATH: process.env['PATH'] ?? '', NODE_EXTRA_CA_CERTS: ca },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`the direct client ended with ${String(code)}`));
    });
  });

const row = (name: string, brokered: number, direct: number, unit: string): void => {
  const ratio = brokered / direct;
  process.stdout.write(
    `${name.padEnd(44)} ${ratio.toFixed(2).padStart(7)}   ${brokered.toFixed(2)} to ${direct.toFixed(2)} ${unit}\n`,
  );
};

const test = await startTestHost();
const { host, scope } = test;
try {
  const project = scope.use(createTestFolder('gbx-bench-'));
  copyFileSync(join(import.meta.dirname, 'load-client.mjs'), join(project.path, 'load-client.mjs'));
  const shell = (command: readonly string[]): StartRequest =>
    requestFor(project.path, { command: [...command] });

  process.stderr.write('Warming up: images, caches\n');
  await runSession(host, shell(['echo', 'ready']));
  const plain = await startPlainContainers(test.env, project.path, scope);
  await plain.firstByteMs();

  process.stderr.write(`Measuring ${String(STARTS)} starts of each kind, in turn\n`);
  const sessions: number[] = [];
  const containers: number[] = [];
  for (let at = 0; at < STARTS; at += 1) {
    sessions.push((await runSession(host, shell(['echo', 'ready']))).firstByteMs);
    containers.push(await plain.firstByteMs());
  }

  const authority = await createTestAuthority();
  const files = scope.use(createTestFolder('gbx-bench-ca-'));
  files.write({ 'ca.pem': authority.certificate });
  const ca = join(files.path, 'ca.pem');
  const upstream = scope.use(await startBenchUpstream(await authority.issue([HOST, 'localhost'])));
  const request = requestFor(project.path, {
    command: ['node', 'load-client.mjs', `https://${HOST}`],
    network: {
      default: 'deny',
      presets: [],
      allow: [HOST],
      deny: [],
      resolve: [`${HOST}:443:127.0.0.1:${String(upstream.port)}`],
      upstreamCa: ca,
    },
  });
  process.stderr.write(
    `Measuring ${String(ROUNDS)} rounds of load, through the broker and direct, in turn\n`,
  );
  const brokered: Load[] = [];
  const direct: Load[] = [];
  for (let at = 0; at < ROUNDS; at += 1) {
    brokered.push(Load.parse(JSON.parse((await runSession(host, request)).output)));
    const url = `https://localhost:${String(upstream.port)}`;
    direct.push(
      Load.parse(JSON.parse(await runDirect(join(project.path, 'load-client.mjs'), url, ca))),
    );
  }

  const both = (pick: (load: Load) => number): readonly [number, number] => [
    median(brokered.map(pick)),
    median(direct.map(pick)),
  ];
  process.stdout.write(
    `\n${'measure'.padEnd(44)}   ratio   figures (${cpus()[0]?.model ?? 'unknown'}, ${String(cpus().length)} cores)\n`,
  );
  row('start to first shell byte / docker run', median(sessions), median(containers), 'ms');
  row('request p50, kept connection / direct', ...both((load) => load.kept.p50), 'ms');
  row('request p99, kept connection / direct', ...both((load) => load.kept.p99), 'ms');
  row('request p50, new connection / direct', ...both((load) => load.fresh.p50), 'ms');
  row('requests per second, 64 at once / direct', ...both((load) => load.requestsPerSecond), '1/s');
  row('download / direct', ...both((load) => load.downMiBs), 'MiB/s');
  row('upload / direct', ...both((load) => load.upMiBs), 'MiB/s');
} finally {
  await scope.close();
}
