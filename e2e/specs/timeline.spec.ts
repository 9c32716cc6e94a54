import { expect, test } from '@playwright/test';
import { useHost } from '../fixtures/window.ts';
import { picture } from '../pages/picture.ts';
import { sessionPage } from '../pages/session-page.ts';
import { startShell } from '../pages/start-shell.ts';

/** The timeline of a session that runs. */

const host = useHost();

test('the timeline is live, says why, and stays usable under thousands of touches', async ({
  page,
}) => {
  const session = sessionPage(page);
  await host.open(page);
  await startShell(page, host.newProject());

  await test.step('a refused request is there within seconds, with code and sentence', async () => {
    await session.type('curl -sS https://collector.example/');
    const row = session.timeline.getByRole('option', { name: /collector\.example/ }).first();
    await expect(row).toBeVisible({ timeout: 5_000 });
    await session.show('Blocked');
    await expect(row).toContainText('egress.no-rule');
    await expect(row).toContainText('may not be reached from this session');
    await expect(row).toContainText('curl');
    await session.show('All');
  });

  await test.step('3,000 files, counted to the last, while the list stays where it is read', async () => {
    await session.type(
      'for i in $(seq 200); do echo $i > warm-$i; done; echo warm-done-$((40 + 2))',
    );
    await expect(session.screen.last()).toContainText('warm-done-42');
    await session.show('Files');
    await expect(page.getByTestId('timeline-row').nth(8)).toBeVisible();
    await session.timeline.hover();
    await page.mouse.wheel(0, 400);
    // The wheel is turned and the list follows: only where it has come to rest can it stay.
    const place = (): Promise<number> => session.timeline.evaluate((list) => list.scrollTop);
    let top = 0;
    await expect
      .poll(async () => {
        const before = top;
        top = await place();
        return top > 0 && top === before;
      })
      .toBe(true);
    await session.type(
      'for i in $(seq 3000); do echo $i > many-$i; done; echo many-done-$((40 + 2))',
    );
    await expect(session.screen.last()).toContainText('many-done-42', { timeout: 60_000 });
    await expect(page.getByTestId('timeline-jump')).toContainText(/new/);
    expect(await place()).toBe(top);
    await picture(page, 'timeline-waiting');
    const counted = async (): Promise<number> => {
      const title = (await page.getByTestId('timeline-view-files').getAttribute('title')) ?? '';
      return Number(title.replaceAll(/\D/g, ''));
    };
    await expect.poll(counted, { timeout: 30_000 }).toBeGreaterThanOrEqual(3_200);
    const before = Date.now();
    await page.getByTestId('timeline-jump').click();
    await session.filter('many-3000');
    await expect(page.getByTestId('timeline-row').first()).toContainText('many-3000');
    expect(Date.now() - before, 'filtering thousands of events').toBeLessThan(5_000);
    await session.filter('');
    // The list is still the filtered one for a moment, and its end is its only row.
    await expect(page.getByTestId('timeline-row').nth(8)).toBeVisible();
    await session.timeline.focus();
    await page.keyboard.press('End');
    await expect.poll(place).toBeGreaterThan(0);
  });
  await session.stop();
  await expect(session.changedFiles).toContainText('3,200 files changed', { timeout: 60_000 });
  expect(host.watched.problems).toEqual([]);
});
