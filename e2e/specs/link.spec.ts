import { expect, test } from '@playwright/test';
import { startServing } from '../fixtures/serve.ts';
import { useHost } from '../fixtures/window.ts';
import { picture } from '../pages/picture.ts';
import { startPage } from '../pages/start-page.ts';

/** The way from the window to its host. */

const host = useHost();

test('the link lets in one browser, once; a reload keeps working', async ({ page, browser }) => {
  const link = await host.serving.renew();
  await page.goto(link);
  await page.getByTestId('project-picker').waitFor();
  await page.reload();
  await expect(page.getByTestId('open-this-folder')).toBeVisible();
  expect(host.watched.problems).toEqual([]);

  const stranger = await browser.newPage();
  for (const address of [link, new URL('/', link).href]) {
    const answer = await stranger.goto(address);
    expect(answer?.status()).toBe(403);
    await expect(stranger.getByRole('heading')).toHaveText('Glovebox: Forbidden');
    await expect(stranger.locator('body')).toContainText('the link was used already');
    await expect(stranger.locator('body')).toContainText('press Enter in the terminal');
  }
  await stranger.close();
});

test('a host that is gone is said, and the address of the next one brings the window back', async ({
  page,
}) => {
  const home = host.newHome();
  const first = host.scope.use(await startServing({ home, env: host.env }));
  await host.open(page, first);
  await startPage(page).openProject(host.newProject().path);
  await expect(page.getByTestId('start-session')).toBeEnabled();
  expect(host.watched.problems).toEqual([]);
  await first.kill();
  const banner = page.getByTestId('connection-lost');
  await expect(banner).toContainText('Connection to Glovebox lost');
  await expect(banner).toContainText('open the address that it printed');
  await picture(page, 'connection-lost');

  const port = new URL(first.url).port;
  const second = host.scope.use(
    await startServing({ home, env: host.env, args: ['--port', port] }),
  );
  // The new host does not know the old cookie: trying again is refused until its own link is opened.
  await banner.getByRole('button', { name: 'Try now' }).click();
  await expect(banner).toBeVisible();
  await page.goto(second.url);
  await expect(page.getByTestId('project-picker')).toBeVisible();
  await expect(page.getByTestId('open-this-folder')).toBeVisible();
  await expect(banner).toBeHidden();

  // Asked to end, it does not wait for the window to be closed.
  const asked = Date.now();
  await second.close();
  expect(Date.now() - asked).toBeLessThan(10_000);
  await expect(banner).toBeVisible();
});
