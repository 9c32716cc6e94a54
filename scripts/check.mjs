// npm run check: packages first, then everything that needs no engine.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('scripts/check.ts', process.argv.slice(2));
