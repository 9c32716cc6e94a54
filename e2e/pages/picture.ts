import { join } from 'node:path';
import type { Page } from '@playwright/test';

/** Pictures for people, where the run asks for them. */
export const picture = async (page: Page, name: string): Promise<void> => {
  const folder = process.env['GLOVEBOX_PICTURES'];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
};
