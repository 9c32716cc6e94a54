import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { build } from 'vite';

let folder: string;
let source: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'glovebox-preload-'));
  await build({
    configFile: join(import.meta.dirname, 'vite.config.ts'),
    mode: 'preload',
    logLevel: 'error',
    build: { outDir: folder, emptyOutDir: true },
  });
  source = readFileSync(join(folder, 'preload.cjs'), 'utf8');
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the built preload (3)', () => {
  it('is one CommonJS file that needs Electron and nothing else', () => {
    expect(readdirSync(folder)).toEqual(['preload.cjs']);
    expect(Array.from(source.matchAll(/require\(([^)]*)\)/g), (match) => match[1])).toEqual([
      '"electron"',
    ]);
    expect(source).not.toMatch(/^import |\bimport\(|\bprocess\.\w/m);
  });

  it('adds one frozen function to the page, which hands over one port', () => {
    const exposed: Record<string, unknown> = {};
    const toMain: unknown[][] = [];
    const toPage: unknown[][] = [];
    const electron = {
      contextBridge: {
        exposeInMainWorld: (name: string, api: unknown) => {
          exposed[name] = api;
        },
      },
      ipcRenderer: { postMessage: (...values: unknown[]) => toMain.push(values) },
    };
    runInNewContext(source, {
      require: (name: string) => (name === 'electron' ? electron : undefined),
      window: { postMessage: (...values: unknown[]) => toPage.push(values) },
      MessageChannel: class {
        readonly port1 = 'page’s end';
        readonly port2 = 'main’s end';
      },
    });
    expect(Object.keys(exposed)).toEqual(['glovebox']);
    const api = exposed['glovebox'] as { requestPort: () => unknown };
    expect(Object.isFrozen(api)).toBe(true);
    expect(Object.keys(api)).toEqual(['requestPort']);
    expect(toMain).toEqual([]);
    expect(api.requestPort()).toBeUndefined();
    expect(toMain).toEqual([['glovebox:port', null, ['main’s end']]]);
    expect(toPage).toEqual([[{ type: 'glovebox-port' }, '*', ['page’s end']]]);
  });
});
