import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const builder = parse(readFileSync(join(root, 'electron-builder.yml'), 'utf8')) as {
  readonly asar: unknown;
  readonly publish: unknown;
  readonly electronFuses: unknown;
};

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter(
    (name) => name.endsWith('.ts') && !name.endsWith('.test.ts') && !name.startsWith('testing'),
  )
  .map((name) => [name, readFileSync(join(import.meta.dirname, name), 'utf8')] as const);

describe('what is packaged', () => {
  it('has every fuse set, the safe way (15)', () => {
    expect(builder.electronFuses).toEqual({
      runAsNode: false,
      enableCookieEncryption: true,
      enableNodeOptionsEnvironmentVariable: false,
      enableNodeCliInspectArguments: false,
      enableEmbeddedAsarIntegrityValidation: true,
      onlyLoadAppFromAsar: true,
      loadBrowserProcessSpecificV8Snapshot: false,
      grantFileProtocolExtraPrivileges: false,
    });
    expect(builder.asar).toBe(true);
    expect(builder.publish).toBeNull();
  });
});

/** What may stand in one file only, or in none. */
const PLACES: readonly (readonly [RegExp, string | undefined])[] = [
  [/openExternal|openPath/, undefined],
  [/executeJavaScript|\beval\(|new Function/, undefined],
  [/child_process|@electron\/remote|file:\/\//, undefined],
  [/new BrowserWindow/, 'main-window.ts'],
  [/ipcMain\./, 'port-gateway.ts'],
  [/ipcRenderer|contextBridge/, 'preload.ts'],
];

describe('the shell’s own sources', () => {
  it.each(sources)('%s keeps dangerous calls in their one place (1, 6, 12, 35)', (name, text) => {
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm, '');
    const misplaced = PLACES.filter(([call, place]) => place !== name && call.test(code));
    expect(misplaced).toEqual([]);
  });
});
