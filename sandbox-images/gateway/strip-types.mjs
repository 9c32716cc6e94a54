// Takes the types off a folder's modules while the image is built: Node would load its stripper at each start of
// a gateway, which every session waits for.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join } from 'node:path';

const SPECIFIER = /(from '\.\/[^']+)\.ts'/g;

const [folder] = process.argv.slice(2);
for (const name of readdirSync(folder).filter((found) => found.endsWith('.ts'))) {
  const path = join(folder, name);
  const plain = stripTypeScriptTypes(readFileSync(path, 'utf8')).replace(SPECIFIER, "$1.js'");
  writeFileSync(path.replace(/\.ts$/, '.js'), plain);
  rmSync(path);
}
