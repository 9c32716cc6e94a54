import type { Locator, Page } from '@playwright/test';

/** Everything on the table before the start. */
export type StartPage = {
  readonly openProject: (path: string) => Promise<void>;
  readonly chooseAssistant: (name: string) => Promise<void>;
  readonly mounts: Locator;
  readonly hidden: Locator;
  readonly credential: (name: string) => Locator;
  readonly addCredential: (credential: {
    readonly name: string;
    readonly kind: string;
    readonly secret: string;
  }) => Promise<void>;
  readonly start: () => Promise<void>;
};

export const startPage = (page: Page): StartPage => ({
  openProject: async (path) => {
    await page.getByRole('textbox', { name: 'Folder' }).fill(path);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: /^New session in/ }).waitFor();
  },
  chooseAssistant: (name) => page.getByRole('radio', { name: new RegExp(`^${name}`) }).click(),
  mounts: page.getByRole('region', { name: 'What it sees' }).getByRole('listitem'),
  hidden: page.getByRole('list', { name: 'Hidden files' }).getByRole('listitem'),
  credential: (name) =>
    page
      .getByRole('region', { name: 'Credentials' })
      .getByRole('switch', { name: new RegExp(name) }),
  addCredential: async ({ name, kind, secret }) => {
    await page.getByRole('button', { name: 'Add a credential' }).first().click();
    const form = page.getByTestId('add-credential-form');
    await form.getByLabel('Name').fill(name);
    await form.getByLabel('Kind').selectOption(kind);
    await form.getByTestId('credential-secret').fill(secret);
    await form.getByTestId('credential-save').click();
    await form.waitFor({ state: 'hidden' });
  },
  start: () => page.getByRole('button', { name: 'Start session' }).click(),
});
