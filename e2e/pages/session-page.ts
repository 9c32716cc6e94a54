import type { Locator, Page } from '@playwright/test';

/** Turns the window's screen reader mode on, in which a terminal keeps its rows as text. Before the first page. */
export const readableTerminals = (page: Page): Promise<unknown> =>
  page.addInitScript(() => {
    localStorage.setItem('glovebox.settings', '{"screenReader":true}');
  });

/** A running or ended session: terminals in the middle, the timeline at the right, changes below. */
export type SessionPage = {
  readonly grants: Locator;
  readonly terminals: Locator;
  /** The screen's rows as a screen reader gets them. */
  readonly screen: Locator;
  readonly openShell: () => Promise<void>;
  readonly type: (text: string) => Promise<void>;
  readonly timeline: Locator;
  readonly show: (view: 'All' | 'Egress' | 'Files' | 'Credentials' | 'Blocked') => Promise<void>;
  readonly filter: (text: string) => Promise<void>;
  readonly changedFiles: Locator;
  readonly stop: () => Promise<void>;
  readonly openReview: () => Promise<void>;
  readonly changes: Locator;
};

export const sessionPage = (page: Page): SessionPage => ({
  grants: page.getByRole('list', { name: 'Credentials of this session' }),
  terminals: page.getByRole('tablist', { name: 'Terminals' }),
  screen: page.locator('.xterm-accessibility-tree'),
  openShell: async () => {
    const before = await page.getByRole('tab').count();
    await page.getByTestId('open-shell').click();
    await page.getByRole('tab').nth(before).waitFor();
    // The prompt: before it, keys might still go to the terminal that was in front.
    await page.locator('.xterm-accessibility-tree').last().filter({ hasText: '$' }).waitFor();
  },
  type: async (text) => {
    await page
      .getByRole('textbox', { name: /^Terminal:/ })
      .last()
      .focus();
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  },
  timeline: page.getByRole('listbox', { name: /^Timeline/ }),
  show: (view) =>
    page
      .getByRole('radiogroup', { name: 'What the timeline shows' })
      .getByRole('radio', { name: new RegExp(`^${view}`) })
      .click(),
  filter: (text) => page.getByRole('textbox', { name: 'Filter the timeline' }).fill(text),
  changedFiles: page.getByTestId('changed-files'),
  stop: async () => {
    await page.getByRole('button', { name: /^Stop/ }).first().click();
    await page.getByRole('button', { name: 'Stop session' }).click();
  },
  openReview: () => page.getByTestId('open-review').click(),
  changes: page.getByTestId('change-row'),
});
