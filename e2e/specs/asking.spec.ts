import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test } from '@playwright/test';
import { createScope, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { createTestProject } from '../fixtures/project.ts';
import { startServing, type Serving } from '../fixtures/serve.ts';
import { readableTerminals, sessionPage } from '../pages/session-page.ts';
import { startPage } from '../pages/start-page.ts';
import { visibleFocus, watchPage, type Watched } from '../pages/watched-page.ts';
import { createTestAuthority } from '../upstreams/authority.ts';
import { startRecordingServer, type RecordingServer } from '../upstreams/recording-server.ts';

/** Questions in the window, with a real sandbox that asks and a real server that must hear nothing before the answer. */

const IMAGES_MS = 900_000;
const HOSTS = [
  'asked.example',
  'refused.example',
  'given-up.example',
  'one.example',
  'two.example',
] as const;

let scope: Scope;
let serving: Serving;
let server: RecordingServer;
let watched: Watched;

test.beforeAll(async () => {
  test.setTimeout(IMAGES_MS);
  scope = createScope('asking spec');
  const home = scope.use(createTestFolder('gbx-'));
  const files = scope.use(createTestFolder('gbx-spec-'));
  const authority = await createTestAuthority();
  files.write({ 'ca.pem': authority.certificate, passphrase: 'correct horse battery staple\n' });
  const passphrase = join(files.path, 'passphrase');
  chmodSync(passphrase, 0o600);
  server = scope.use(await startRecordingServer({ identity: await authority.issue([...HOSTS]) }));
  serving = scope.use(
    await startServing({
      home: join(home.path, 'home'),
      args: [
        ...HOSTS.flatMap((host) => ['--resolve', `${host}:443:127.0.0.1:${String(server.port)}`]),
        '--upstream-ca',
        join(files.path, 'ca.pem'),
      ],
      env: { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: passphrase },
    }),
  );
});
test.afterAll(async () => {
  await scope.close();
});
test.beforeEach(async ({ page }) => {
  watched = watchPage(page);
  await readableTerminals(page);
});

test('a question waits above the timeline, is answered by keyboard or mouse, and goes when it is over', async ({
  page,
}) => {
  test.setTimeout(IMAGES_MS);
  const session = sessionPage(page);
  const start = startPage(page);
  const project = scope.use(createTestProject());
  const question = page.getByTestId('question');
  const count = page.getByTestId('question-count');
  /** A question takes no answer before it has stood in its place for a moment. */
  const untilArmed = (): Promise<void> =>
    expect(page.getByTestId('refuse').first()).toHaveAttribute('aria-disabled', 'false');
  const fetchFrom = (host: string): Promise<void> =>
    session.type(`curl -sS -o /dev/null -w 'status-%{http_code}-end\\n' https://${host}/v1/things`);

  await test.step('start a session that asks', async () => {
    await page.goto(await serving.renew());
    await page.getByTestId('project-picker').waitFor();
    await start.openProject(project.path);
    await start.chooseAssistant('Shell');
    await page.getByTestId('network-ask').click();
    await expect(page.getByTestId('network')).toContainText('waits for your answer');
    await start.start();
    await expect(page.getByTestId('session-page')).toHaveAttribute('data-state', 'running', {
      timeout: IMAGES_MS,
    });
    await expect(session.screen.last()).toContainText('$');
    await expect(page.getByTestId('network-asks')).toHaveText(
      'network asks: Destinations that no rule names wait for your answer',
    );
  });

  await test.step('the question shows who, what and where; the terminal keeps the focus and its keys', async () => {
    await fetchFrom('asked.example');
    await expect(question).toContainText('asked.example');
    await expect(question).toContainText('GET /v1/things');
    await expect(question).toContainText('curl');
    await expect(question).toContainText('nothing has left');
    await expect(count).toContainText('1');
    await expect(page).toHaveTitle(/^\(1\) /);
    await expect(page.getByRole('textbox', { name: /^Terminal:/ })).toBeFocused();
    await untilArmed();
    await page.keyboard.type('ads');
    await page.waitForTimeout(700);
    await expect(question).toBeVisible();
    expect(server.connections()).toBe(0);
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Backspace');
    await page.keyboard.press('Backspace');
    for (const colorScheme of ['dark', 'light'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const { violations } = await new AxeBuilder({ page }).analyze();
      expect(
        violations.map(({ id, nodes }) => `${id}: ${nodes.map((n) => n.html).join(' ')}`),
      ).toEqual([]);
      const folder = process.env['GLOVEBOX_PICTURES'];
      if (folder !== undefined)
        await page.screenshot({ path: join(folder, `asking-${colorScheme}.png`) });
    }
  });

  await test.step('by keyboard: F6 to the question, S for the session', async () => {
    await page.keyboard.press('F6');
    await expect(question).toBeFocused();
    await expect.poll(() => visibleFocus(page)).toBeDefined();
    await page.keyboard.press('s');
    await expect(session.screen.last()).toContainText('status-200-end');
    await expect(question).toBeHidden();
    await expect(count).toBeHidden();
    expect(server.requests.map(({ url }) => url)).toEqual(['/v1/things']);
    await expect(
      session.timeline.getByRole('option', {
        name: /question.*asked\.example.*allowed for the session/,
      }),
    ).toBeVisible();
  });

  await test.step('by mouse: refused, and told so inside', async () => {
    await fetchFrom('refused.example');
    await expect(question).toContainText('refused.example');
    await page.getByTestId('refuse').click();
    await expect(session.screen.last()).toContainText('status-403-end');
    await expect(question).toBeHidden();
  });

  await test.step('several at once: the focus moves on, and no key meant for one answers the next', async () => {
    await session.type(
      'curl -sS -o /dev/null https://one.example/ & curl -sS -o /dev/null https://two.example/ & wait; echo "both"-ended',
    );
    await expect(question).toHaveCount(2);
    await expect(question.first()).toContainText('1 of 2');
    const second = (await question.last().getAttribute('data-question')) ?? '';
    await page.keyboard.press('F6');
    await expect(question.first()).toBeFocused();
    await untilArmed();
    // The very moment that the second stands where the first stood, the next key comes.
    await page.evaluate(`new MutationObserver((_, observer) => {
      const [first, second] = document.querySelectorAll('[data-testid=question]');
      if (first === undefined || second !== undefined) return;
      observer.disconnect();
      first.dispatchEvent(new KeyboardEvent('keydown', { key: 'a', bubbles: true }));
    }).observe(document.body, { childList: true, subtree: true })`);
    await page.keyboard.press('d');
    await expect(question).toHaveCount(1);
    await expect(question).toHaveAttribute('data-question', second);
    await expect(question).toBeFocused();
    await untilArmed();
    await page.waitForTimeout(700);
    await expect(question).toBeVisible();
    await page.keyboard.press('d');
    await expect(question).toBeHidden();
    await expect(session.screen.last()).toContainText('both-ended');
    await expect(page.getByRole('textbox', { name: /^Terminal:/ })).toBeFocused();
    expect(server.requests).toHaveLength(1);
  });

  await test.step('a question whose program gave up goes, with word', async () => {
    await session.type('curl -sS https://given-up.example/ &');
    await expect(question).toContainText('given-up.example');
    await session.type('kill %1');
    await expect(question).toBeHidden();
    await expect(page.getByTestId('toast')).toContainText('given-up.example is over');
    expect(server.requests).toHaveLength(1);
  });

  await session.stop();
  await expect(page.getByTestId('session-page')).not.toHaveAttribute(
    'data-state',
    /running|stopping/,
  );
  expect(watched.problems).toEqual([]);
});
