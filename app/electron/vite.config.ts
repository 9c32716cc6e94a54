import { builtinModules } from 'node:module';
import { defineConfig } from 'vite';

const folder = (path: string): string =>
  decodeURIComponent(new URL(path, import.meta.url).pathname);

const platform = new Set([
  ...builtinModules,
  'electron',
  'electron/main',
  'electron/renderer',
  'electron/common',
]);
/** Platform modules and packages stay imports: packages are shipped whole, native parts included. */
const isOutside = (id: string): boolean =>
  id.startsWith('node:') || platform.has(id) || !/^(?:[./\\]|[A-Za-z]:[\\/])/.test(id);

/**
 * Bundles Electron's side into dist/electron: main, the broker's utility process and the workspace's
 * thread as ES modules, flat, because they find each other and the app's folder by their own place.
 * `--mode preload` builds the preload: one CommonJS file, which is what a sandboxed page loads.
 */
export default defineConfig(({ mode }) => {
  const preload = mode === 'preload';
  return {
    root: folder('.'),
    build: {
      outDir: folder('../../dist/electron'),
      emptyOutDir: !preload,
      target: 'node24',
      minify: false,
      sourcemap: false,
      ssr: true,
      rolldownOptions: {
        input: preload
          ? { preload: folder('./preload.ts') }
          : {
              main: folder('./main.ts'),
              broker: folder('../broker/process/main.ts'),
              thread: folder('../workspace/thread.ts'),
            },
        external: isOutside,
        output: preload
          ? { format: 'cjs', entryFileNames: '[name].cjs', codeSplitting: false }
          : { format: 'es', entryFileNames: '[name].js', chunkFileNames: 'part-[hash].js' },
      },
    },
  };
});
