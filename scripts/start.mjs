// npm start: packages first, then the rest in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages({ electron: true });
await continueWith('scripts/start.ts', process.argv.slice(2));
