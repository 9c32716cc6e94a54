import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createManualClock, createScope, type Scope } from '../kit/index.ts';
import { dockerAt } from './client.ts';
import {
  DISTRIBUTION_IMAGE,
  ensureDistribution,
  FIRST_BYTE_TIMEOUT_MS,
  pullDistribution,
  STALLED_PULL_TIMEOUT_MS,
} from './distribution.ts';

let scope: Scope;
let folder: string;
let docker: Docker;
let present: Set<string>;
let asked: string[];
let onPull: (response: ServerResponse) => void;
let clock: ReturnType<typeof createManualClock>;

beforeEach(async () => {
  scope = createScope('test');
  folder = await mkdtemp(join(tmpdir(), 'gb-pull-'));
  present = new Set();
  asked = [];
  clock = createManualClock();
  const server = createServer((request, response) => {
    const url = decodeURIComponent(request.url ?? '');
    asked.push(url);
    if (url.startsWith('/images/create')) {
      onPull(response);
      return;
    }
    const name = /^\/images\/(.+)\/json/.exec(url)?.[1] ?? '';
    response.writeHead(present.has(name) ? 200 : 404, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify(present.has(name) ? { Id: `sha256:${name}` } : { message: 'no such image' }),
    );
  });
  const path = join(folder, 'engine.sock');
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  scope.defer(
    () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  );
  docker = dockerAt({ type: 'socket', path }, scope);
});
afterEach(async () => {
  await scope.close();
  await rm(folder, { recursive: true, force: true });
});

const options = () => ({
  install: 'test',
  env: {},
  apt: undefined,
  clock,
  onProgress: () => undefined,
  signal: new AbortController().signal,
});
const pulled = (): Promise<boolean> => pullDistribution(docker, options());
const until = async (reached: () => boolean): Promise<void> => {
  while (!reached()) {
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
  }
};

describe('the distribution', () => {
  it('is taken as it is where the engine has it', async () => {
    present.add(DISTRIBUTION_IMAGE);
    expect(await ensureDistribution(docker, options())).toEqual({
      ok: true,
      value: { id: `sha256:${DISTRIBUTION_IMAGE}`, suite: 'bookworm' },
    });
    expect(asked.some((url) => url.startsWith('/images/create'))).toBe(false);
  });

  it('bootstrapped earlier comes before everything else', async () => {
    present.add(DISTRIBUTION_IMAGE).add('glovebox/distribution:bookworm');
    expect(await ensureDistribution(docker, options())).toMatchObject({
      value: { id: 'sha256:glovebox/distribution:bookworm' },
    });
  });

  it('is pulled by its pinned name', async () => {
    onPull = (response) => {
      response.write('{"status":"Pulling"}\n');
      present.add(DISTRIBUTION_IMAGE);
      response.end('{"status":"Downloaded"}\n');
    };
    expect(await ensureDistribution(docker, options())).toMatchObject({
      value: { id: `sha256:${DISTRIBUTION_IMAGE}` },
    });
    expect(asked.find((url) => url.startsWith('/images/create'))).toContain(
      `fromImage=${DISTRIBUTION_IMAGE}`,
    );
  });

  it.each([
    ['refuses at once', (r: ServerResponse) => r.writeHead(500).end('{"message":"no such host"}')],
    [
      'fails midway',
      (r: ServerResponse) => r.end('{"status":"Pulling"}\n{"error":"x","errorDetail":{}}\n'),
    ],
    ['breaks off', (r: ServerResponse) => r.destroy()],
  ])('counts as unreachable where the registry %s', async (_, answer) => {
    onPull = answer;
    expect(await pulled()).toBe(false);
  });

  it('is not waited for longer than the limit', async () => {
    let reached = false;
    onPull = () => {
      reached = true;
    };
    const pull = pulled();
    await until(() => reached);
    clock.advance(FIRST_BYTE_TIMEOUT_MS);
    expect(await pull).toBe(false);
  });

  it('may take longer once it has begun, but not stand still', async () => {
    let answer: ServerResponse | undefined;
    onPull = (response) => {
      response.write('{"status":"Pulling"}\n');
      answer = response;
    };
    let seen = 0;
    const pull = pullDistribution(docker, { ...options(), onProgress: () => (seen += 1) });
    await until(() => seen === 1);
    clock.advance(STALLED_PULL_TIMEOUT_MS - 1);
    answer?.write('{"status":"Downloading"}\n');
    await until(() => seen === 2);
    clock.advance(STALLED_PULL_TIMEOUT_MS);
    expect(await pull).toBe(false);
  });
});
