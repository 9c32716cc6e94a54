import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';

/** Loads what a broker process loads, and tells of it; nothing is started. */
const LOAD = `
import { registerHooks } from 'node:module';
const files = [];
registerHooks({
  load: (url, context, next) => {
    files.push(url);
    return next(url, context);
  },
});
await import(${JSON.stringify(new URL('serve-process.ts', import.meta.url).href)});
console.log(JSON.stringify({ files, own: process.moduleLoadList }));
`;

let loaded: { readonly files: readonly string[]; readonly own: readonly string[] };
beforeAll(async () => {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', LOAD];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: {} });
  loaded = JSON.parse(stdout) as typeof loaded;
}, 30_000);

/** Each of these is paid for by every session. */
describe('a broker process loads', () => {
  it('its own files, the policy’s and the kit’s', () => {
    expect(loaded.files.filter((url) => url.includes('/app/broker/')).length).toBeGreaterThan(100);
    expect(loaded.files.filter((url) => url.includes('/app/contract/'))).toEqual([
      expect.stringMatching(/\/bounds\.ts$/),
    ]);
  });

  it('no package', () => {
    expect(loaded.files.filter((url) => url.includes('/node_modules/'))).toEqual([]);
  });

  it.each(['undici', 'webstreams', 'worker_threads'])('nothing of Node’s %s', (name) => {
    expect(loaded.own.filter((module) => module.includes(name))).toEqual([]);
  });
});
