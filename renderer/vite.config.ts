import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const folder = (path: string): string =>
  decodeURIComponent(new URL(path, import.meta.url).pathname);

/**
 * The window's build: one page, hashed assets, nothing inline, so that it runs under
 * `default-src 'none'` with `'self'` for scripts, styles, fonts, images and connections.
 * `--mode fixture` builds the page with the sample host of `renderer/dev` for looking at it.
 */
export default defineConfig(({ mode }) => ({
  root: folder('.'),
  base: '/',
  plugins: [react()],
  build: {
    outDir: folder(mode === 'fixture' ? '../dist/renderer-fixture' : '../dist/renderer'),
    emptyOutDir: true,
    target: 'chrome130',
    // Fonts and pictures stay files: `font-src 'self'` has no `data:`.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 1500,
  },
  server: { host: '127.0.0.1' },
}));
