// npm run test:mutation: packages first, then each protection is taken away in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('scripts/mutation/main.ts', process.argv.slice(2));
