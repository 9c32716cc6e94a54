import { readFile, writeFile } from 'node:fs/promises';

const BEGIN = '<!-- mutation score: written by `npm run test:mutation` -->';
const END = '<!-- end of mutation score -->';

/** Puts the score into the document's marked place; fails where there is none. */
export const writeScore = async (
  path: string,
  { red, all }: { readonly red: number; readonly all: number },
): Promise<void> => {
  const text = await readFile(path, 'utf8');
  const from = text.indexOf(BEGIN);
  const to = text.indexOf(END);
  if (from < 0 || to < from) throw new Error(`${path} has no place for the score`);
  const words = `${String(red)} of ${String(all)} protections are proved: taken away one at a time, each turns a test red (${String(Math.floor((100 * red) / all))} %).`;
  await writeFile(path, `${text.slice(0, from)}${BEGIN}\n\n${words}\n\n${text.slice(to)}`);
};
