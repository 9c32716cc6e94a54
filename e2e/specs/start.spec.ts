import { mkdirSync, rmSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { useHost } from '../fixtures/window.ts';
import { picture } from '../pages/picture.ts';
import { sessionPage } from '../pages/session-page.ts';
import { startPage } from '../pages/start-page.ts';
import { untilRunning } from '../pages/start-shell.ts';

/** A session that cannot start. */

const host = useHost();

test('a start that fails says why and what to do, and starting again is one key away', async ({
  page,
}) => {
  const start = startPage(page);
  await host.open(page);

  await test.step('the project is gone by the time it starts', async () => {
    const project = host.newProject();
    await start.openProject(project.path);
    await start.chooseAssistant('Shell');
    rmSync(project.path, { recursive: true });
    await start.start();
    const failed = page.getByTestId('session-failed');
    await expect(failed.getByTestId('problem')).toHaveAttribute(
      'data-code',
      'project.not-a-folder',
    );
    await expect(failed).toContainText(`${project.path} does not exist`);
    await expect(failed).toContainText('Check the path');
    await picture(page, 'start-failed-project');

    await page.getByTestId('start-again').click();
    await expect(page.getByTestId('problem')).toContainText('Check the path');
    mkdirSync(project.path);
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(page.getByRole('radio', { name: /^Shell/ })).toBeChecked();
    await start.start();
    await untilRunning(page);
    await sessionPage(page).stop();
    await expect(page.getByTestId('review-empty')).toBeVisible();
  });

  await test.step('the credential is gone by the time it starts', async () => {
    const project = host.newProject();
    await page.getByTestId('new-session').click();
    await page.getByTestId('other-folder').click();
    await start.openProject(project.path);
    await start.chooseAssistant('Shell');
    await start.addCredential({ name: 'short-lived', kind: 'openai', secret: 'sk-short-lived' });
    await expect(start.credential('short-lived')).toHaveAttribute('aria-checked', 'true');
    // Removed from another window, without this one knowing.
    const other = await page.context().newPage();
    await other.goto(page.url());
    await other.getByTestId('open-credentials').click();
    await other.getByRole('button', { name: 'Remove short-lived' }).click();
    await other.getByTestId('confirm-remove-yes').click();
    await expect(other.getByTestId('confirm-remove')).toBeHidden();
    await expect(other.locator('[data-name="short-lived"]')).toHaveCount(0);
    await other.close();
    await start.start();
    const problem = page.getByTestId('start-problem').or(page.getByTestId('session-failed'));
    await expect(problem).toContainText(/grant\.unknown|credential\.not-found/);
    await picture(page, 'start-failed-credential');
  });
  expect(host.watched.problems).toEqual([]);
});
