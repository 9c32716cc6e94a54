import { expect, test } from '@playwright/test';
import { fingerprint } from '../fixtures/project.ts';
import { useHost } from '../fixtures/window.ts';
import { sessionPage } from '../pages/session-page.ts';
import { untilRunning } from '../pages/start-shell.ts';
import { visibleFocus } from '../pages/watched-page.ts';

/** The window without a mouse. */

const host = useHost();

test('by keyboard alone: open, start, filter, details, stop, review, discard', async ({ page }) => {
  const project = host.newProject();
  const untouched = fingerprint(project.path);
  const session = sessionPage(page);
  await host.open(page);
  const press = async (keys: string): Promise<void> => {
    await page.keyboard.press(keys);
    await expect.poll(() => visibleFocus(page), `where the focus is after ${keys}`).toBeDefined();
  };
  /** Tabs until the focus is on what is looked for. */
  const tabTo = async (name: RegExp, key = 'Tab'): Promise<void> => {
    for (let n = 0; n < 40; n += 1) {
      if (name.test((await visibleFocus(page)) ?? '')) return;
      await press(key);
    }
    throw new Error(`no way by ${key} to ${String(name)}`);
  };

  await test.step('open a project and start', async () => {
    await expect(page.getByTestId('project-path')).toBeFocused();
    await page.keyboard.type(project.path);
    await press('Enter');
    await expect(page.getByTestId('start-session')).toBeFocused();
    await tabTo(/^button "(Claude|Shell)/, 'Shift+Tab');
    await press('ArrowLeft');
    await expect(page.getByRole('radio', { name: /^Shell/ })).toBeChecked();
    await press('Control+Shift+Enter');
    await untilRunning(page);
  });

  await test.step('work in the terminal', async () => {
    await expect(page.getByRole('textbox', { name: /^Terminal:/ })).toBeFocused();
    await expect(session.screen).toContainText('$');
    await page.keyboard.type('echo more > more.txt; curl -sS https://collector.example/');
    await press('Enter');
    await expect(session.screen).toContainText('egress.no-rule');
  });

  await test.step('filter the timeline and open a row', async () => {
    await press('F6');
    await expect(session.timeline).toBeFocused();
    await press('/');
    await expect(page.getByRole('textbox', { name: 'Filter the timeline' })).toBeFocused();
    await page.keyboard.type('collector');
    await expect(page.getByTestId('timeline-row').first()).toContainText('collector.example');
    await tabTo(/Timeline, newest first/);
    await press('ArrowDown');
    await press('Enter');
    const details = page.getByTestId('timeline-details');
    await expect(details).toContainText('collector.example');
    const at = details.locator('time').first();
    const row = page.locator(`time[datetime="${await at.getAttribute('datetime')}"]`).first();
    await expect(at).toContainText(` ${await row.textContent()}.`);
    await press('Escape');
    await expect(details).toBeHidden();
  });

  await test.step('stop', async () => {
    await press('Control+Shift+X');
    await expect(page.getByTestId('confirm-stop')).toBeVisible();
    await tabTo(/Stop session/);
    await press('Enter');
    await expect(page.getByTestId('change-row')).toContainText('more.txt');
    await expect.poll(() => visibleFocus(page), 'the focus after the end').toBeDefined();
  });

  await test.step('discard: the project is as it was', async () => {
    await press('d');
    await expect(page.getByTestId('confirm-discard')).toBeVisible();
    await tabTo(/Discard all/);
    await press('Enter');
    await expect(page.getByTestId('review-empty')).toBeVisible();
    await expect.poll(() => visibleFocus(page), 'the focus after the discard').toBeDefined();
    expect(fingerprint(project.path)).toBe(untouched);
  });
  expect(host.watched.problems).toEqual([]);
});
