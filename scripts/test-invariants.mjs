// npm run test:invariants: packages first, then random requests in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('app/broker/invariants/main.ts', process.argv.slice(2));
