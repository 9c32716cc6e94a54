// npm run matrix: packages first, then the clients in Node 24.
import { continueWith, ensurePackages } from './bootstrap.mjs';

await ensurePackages();
await continueWith('scripts/matrix.ts', process.argv.slice(2));
