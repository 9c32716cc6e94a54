import { expect, type Page } from '@playwright/test';
import type { TestProject } from '../fixtures/project.ts';
import { sessionPage } from './session-page.ts';
import { startPage } from './start-page.ts';

/** How long a start may take that builds its images first. */
export const IMAGES_MS = 900_000;

/** Waits until the session that was started runs, however long its images take. */
export const untilRunning = (page: Page): Promise<void> =>
  expect(page.getByTestId('session-page')).toHaveAttribute('data-state', 'running', {
    timeout: IMAGES_MS,
  });

/** Starts a shell in a fresh project and waits for its prompt. */
export const startShell = async (page: Page, project: TestProject): Promise<void> => {
  const start = startPage(page);
  await page.getByTestId('new-session').click();
  if (await page.getByTestId('other-folder').isVisible()) {
    await page.getByTestId('other-folder').click();
  }
  await start.openProject(project.path);
  await start.chooseAssistant('Shell');
  await start.start();
  await untilRunning(page);
  await expect(sessionPage(page).screen.last()).toContainText('$');
};
