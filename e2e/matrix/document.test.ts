import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CA_VARIABLES } from '../../app/session/environment.ts';
import { clientsPage } from './document.ts';

const page = readFileSync(new URL('../../docs/clients.md', import.meta.url), 'utf8');

/** Tables are laid out by the formatter: only their words count. */
const words = (text: string): readonly string[] =>
  text
    .replaceAll(/-{3,}/g, '---')
    .split(/\s+/)
    .filter((word) => word !== '');

it('the page about clients says what the tests hold, and nothing else', () => {
  expect(words(page)).toEqual(words(clientsPage()));
});

it('names every variable that leads to the bundle', () => {
  for (const name of CA_VARIABLES) expect(page).toContain(`\`${name}\``);
});
