import { join } from 'node:path';

/** The app's own folder: this file lives two levels below it. */
export const appFolder = join(import.meta.dirname, '..', '..');
export const windowFolder = join(appFolder, 'dist', 'renderer');
export const imagesFolder = join(appFolder, 'sandbox-images');
