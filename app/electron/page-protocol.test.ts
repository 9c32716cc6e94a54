import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWindowFiles, type WindowFiles } from '../host/window-files.ts';
import { unwrap } from '../kit/index.ts';
import { answerPage } from './page-protocol.ts';

let folder: string;
let files: WindowFiles;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'glovebox-page-'));
  mkdirSync(join(folder, 'window', 'assets'), { recursive: true });
  writeFileSync(join(folder, 'window', 'index.html'), '<!doctype html><title>Glovebox</title>');
  writeFileSync(join(folder, 'window', 'assets', 'main-1.js'), 'export {};');
  writeFileSync(join(folder, 'outside.json'), '{}');
  files = unwrap(await loadWindowFiles(join(folder, 'window')));
});
afterAll(() => rmSync(folder, { recursive: true }));

const get = (url: string, method = 'GET'): Response => answerPage(files, { url, method });

describe('the page over app: (7, 8)', () => {
  it('serves the page and its files with their exact types', async () => {
    const page = get('app://glovebox/');
    expect(await page.text()).toContain('<title>Glovebox</title>');
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const script = get('app://glovebox/assets/main-1.js?v=1');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(await script.text()).toBe('export {};');
  });

  it.each([
    'app://glovebox/../outside.json',
    'app://glovebox/%2e%2e/outside.json',
    'app://glovebox/assets/..%2f..%2foutside.json',
    'app://glovebox/assets/../../outside.json',
    'app://glovebox//etc/passwd',
    'app://glovebox/assets\\..\\..\\outside.json',
    'app://glovebox/assets/',
    'app://glovebox/assets',
    'app://glovebox/index.html',
    'app://glovebox/some/route',
    'app://glovebox/assets/main-1.js/',
    'app://glovebox/assets/main-1.js%00.html',
    'app://glovebox.evil/',
    'app://other/',
    'app://glovebox@evil/',
    'file:///etc/passwd',
    'https://example.com/',
  ])('has nothing at %s, and no page in its place', (url) => {
    expect(get(url).status).toBe(404);
  });

  it.each(['POST', 'HEAD', 'PUT'])('refuses %s', (method) => {
    expect(get('app://glovebox/', method).status).toBe(405);
  });

  it('carries a policy without exceptions on every answer', () => {
    for (const answer of [get('app://glovebox/'), get('app://glovebox/missing')]) {
      const policy = answer.headers.get('content-security-policy') ?? '';
      for (const part of [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
      ]) {
        expect(policy).toContain(part);
      }
      expect(policy).not.toContain('unsafe');
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    }
  });
});
