// npm test: packages first, then the rest in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('scripts/test.ts', process.argv.slice(2));
