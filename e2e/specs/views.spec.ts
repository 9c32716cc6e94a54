import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { startServing } from '../fixtures/serve.ts';
import { useHost } from '../fixtures/window.ts';
import { picture } from '../pages/picture.ts';
import { sessionPage } from '../pages/session-page.ts';
import { startPage } from '../pages/start-page.ts';
import { startShell, untilRunning } from '../pages/start-shell.ts';

/** The window on the real host with real containers, view by view: what it says, and how it looks to axe. */

const SIZES = [
  { width: 1440, height: 900 },
  { width: 1100, height: 700 },
] as const;

/** What is wider than the window: the page itself, or a control that reaches beyond its edge. */
const overflowing = (page: Page): Promise<readonly string[]> =>
  page.evaluate<readonly string[]>(`(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const cut = Array.from(document.querySelectorAll('button, input, select, h1, h2, table, [role=option]'))
      .filter((element) => {
        const { width, left, right } = element.getBoundingClientRect();
        return width > 1 && (left < -0.5 || right > clientWidth + 0.5);
      });
    return [
      ...(scrollWidth > clientWidth ? ['the page: ' + scrollWidth + ' px'] : []),
      ...cut.map((element) => element.outerHTML.slice(0, 120)),
    ];
  })()`);

const host = useHost();

test('no session, an unknown folder, and waiting are said in words', async ({ page }) => {
  const empty = host.scope.use(await startServing({ home: host.newHome(), env: host.env }));
  const project = host.newProject();
  let held: (() => void)[] | undefined = [];
  const release = (): void => {
    const waiting = held ?? [];
    held = undefined;
    for (const pass of waiting) pass();
  };
  await page.routeWebSocket(/\/ws$/, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((message) => {
      const pass = (): void => {
        socket.send(message);
      };
      if (held === undefined) pass();
      else held.push(pass);
    });
  });

  await test.step('while the host has not answered yet', async () => {
    await host.open(page, empty);
    await expect(page.getByText('Asking the host')).toBeVisible();
    await expect(page.getByText('Reading folders')).toBeVisible();
    await picture(page, 'picker-waiting');
    release();
  });

  await test.step('nothing there yet', async () => {
    await expect(page.getByText('No project has had a session yet.')).toBeVisible();
    await expect(page.getByRole('navigation', { name: 'Sessions' })).toContainText(
      'No session yet',
    );
    await page.getByTestId('open-credentials').click();
    await expect(page.getByTestId('credentials-empty')).toContainText('No credential is stored');
    await page.getByTestId('new-session').click();
  });

  await test.step('a folder that is not there', async () => {
    await page.getByTestId('project-path').fill('not/absolute');
    await page.keyboard.press('Enter');
    await expect(page.getByTestId('project-picker')).toContainText('begins with “/”');
    await page.getByTestId('project-path').fill('/srv/there-is-no-such-project');
    await page.keyboard.press('Enter');
    const problem = page.getByTestId('problem');
    await expect(problem).toHaveAttribute('data-code', 'project.not-a-folder');
    await expect(problem).toContainText('/srv/there-is-no-such-project does not exist');
    await expect(problem).toContainText('Check the path');
    await picture(page, 'folder-missing');
    await page.getByTestId('other-folder').click();
  });

  await test.step('while the folder is being read', async () => {
    held = [];
    await page.getByTestId('project-path').fill(project.path);
    await page.keyboard.press('Enter');
    await expect(page.getByText('Reading the folder and looking for secrets')).toBeVisible();
    release();
    await expect(page.getByTestId('start-session')).toBeEnabled();
  });

  await test.step('an empty timeline and no changes', async () => {
    await startPage(page).chooseAssistant('Shell');
    await startPage(page).start();
    await untilRunning(page);
    await sessionPage(page).show('Credentials');
    await expect(page.getByTestId('timeline-empty')).toContainText('No credential has been used');
    await sessionPage(page).filter('no-such-word');
    await expect(page.getByTestId('timeline-empty')).toContainText('Nothing fits the filter');
    await sessionPage(page).stop();
    await expect(page.getByTestId('review-empty')).toContainText('No changes');
  });
  expect(host.watched.problems).toEqual([]);
  await empty.close();
});

test('axe finds nothing, nothing overflows and the policy holds, in every view, theme and size', async ({
  page,
}) => {
  test.setTimeout(600_000);
  const session = sessionPage(page);
  const project = host.newProject();
  const other = host.newProject();
  await host.open(page);

  await startPage(page).openProject(other.path);
  await startPage(page).addCredential({
    name: 'example-api',
    kind: 'anthropic',
    secret: 'sk-ant-api03-example',
  });
  await startShell(page, other);
  await session.type(
    'mkdir -p docs; echo one > docs/NOTES.md; echo two >> README.md; rm src/retry.js',
  );
  await session.type(
    'printf "[core]\\n\\thooksPath = .hooks\\n" >> .git/config; echo x > .git/hooks/post-commit; chmod +x .git/hooks/post-commit; echo fin-$((40 + 2))',
  );
  await expect(session.screen.last()).toContainText('fin-42');
  await session.stop();
  await expect(page.getByTestId('change-row').first()).toBeVisible();
  const review = page.url();

  await startShell(page, project);
  await session.type(
    'cat README.md > /dev/null; curl -sS https://collector.example/; cat .env; echo x > a.txt; echo fin-$((40 + 2))',
  );
  await expect(session.screen.last()).toContainText('fin-42');
  await expect(session.timeline.getByRole('option', { name: /collector/ }).first()).toBeVisible();
  const running = page.url();
  const origin = new URL(running).origin;

  const views: Readonly<Record<string, () => Promise<void>>> = {
    picker: async () => {
      await page.goto(`${origin}/#/new`);
      await page.reload();
      await page.getByTestId('recent-project').first().waitFor();
      await page.getByTestId('open-this-folder').waitFor();
    },
    start: async () => {
      await startPage(page).openProject(project.path);
      await page.getByTestId('grant-row').first().waitFor();
      await expect(page.getByTestId('start-session')).toBeEnabled();
    },
    running: async () => {
      await page.goto(running);
      await session.screen.first().filter({ hasText: 'fin-42' }).waitFor();
      await page.getByTestId('timeline-row').first().waitFor();
    },
    details: async () => {
      await session.show('Blocked');
      await page.getByTestId('timeline-row').first().click();
      await page.getByTestId('timeline-details').waitFor();
    },
    review: async () => {
      await page.goto(review);
      await page.getByTestId('change-row').first().waitFor();
      await page.getByTestId('verify-timeline').click();
      await page.getByTestId('verify-result').waitFor();
    },
    credentials: async () => {
      await page.goto(`${origin}/#/credentials`);
      await page.getByTestId('credential-row').first().waitFor();
    },
    guarantees: async () => {
      await page.getByTestId('open-guarantees').click();
      await page.getByTestId('guarantees').getByRole('listitem').nth(9).waitFor();
    },
  };
  for (const colorScheme of ['dark', 'light'] as const) {
    for (const size of SIZES) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      await page.setViewportSize(size);
      for (const [name, show] of Object.entries(views)) {
        const label = `${name}-${colorScheme}-${String(size.width)}`;
        await test.step(label, async () => {
          await show();
          await picture(page, label);
          const { violations } = await new AxeBuilder({ page }).analyze();
          expect
            .soft(
              violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' ')}`),
              label,
            )
            .toEqual([]);
          expect.soft(await overflowing(page), `${label}: outside the window`).toEqual([]);
        });
      }
      await page.keyboard.press('Escape');
    }
  }
  await page.goto(running);
  await session.stop();
  await expect(page.getByTestId('session-page')).not.toHaveAttribute(
    'data-state',
    /running|stopping/,
  );
  expect(host.watched.problems).toEqual([]);
});
