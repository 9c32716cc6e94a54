// glovebox doctor --fix and the tests' set-up: packages first, then the rest in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('scripts/setup.ts', process.argv.slice(2));
