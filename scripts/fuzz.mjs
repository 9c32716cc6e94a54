// npm run fuzz: packages first, then the fuzzer in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('fuzz/main.ts', process.argv.slice(2));
