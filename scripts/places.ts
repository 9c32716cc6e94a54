import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The project's own folder. */
export const root: string = dirname(dirname(fileURLToPath(import.meta.url)));
export const imagesFolder: string = join(root, 'sandbox-images');
export const rendererFolder: string = join(root, 'dist', 'renderer');
export const electronNote: string = join(root, 'node_modules', '.glovebox-electron.json');
