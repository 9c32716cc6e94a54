// npm run bench: packages first, then the measurements in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('bench/main.ts', process.argv.slice(2));
