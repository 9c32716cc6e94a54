import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { expect, test, type Page } from '@playwright/test';
import { createScope, Secret, unwrap, type Scope } from '../../app/kit/index.ts';
import { openVault } from '../../app/vault/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { missingForKeychain } from '../../app/vault/testing/secret-service.ts';
import { createOwnKeychain } from '../fixtures/keychain.ts';
import { createTestProject, fingerprint, type TestProject } from '../fixtures/project.ts';
import { startServing, type Serving } from '../fixtures/serve.ts';
import { readableTerminals, sessionPage } from '../pages/session-page.ts';
import { startPage } from '../pages/start-page.ts';
import { visibleFocus, watchPage, type Watched } from '../pages/watched-page.ts';

/** The window on the real host with real containers, view by view: how it looks to axe, to the keyboard, and when things fail. */

const IMAGES_MS = 900_000;
const SIZES = [
  { width: 1440, height: 900 },
  { width: 1100, height: 700 },
] as const;
/** A sealed file whose passphrase nobody has given yet. */
const SEALED_UNOPENED = { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: undefined };

// So that a time that was left in UTC stands out, wherever the tests run.
test.use({ timezoneId: 'Asia/Kathmandu' });

let scope: Scope;
let serving: Serving;
let env: Readonly<Record<string, string>>;
let watched: Watched;

const newHome = (): string => join(scope.use(createTestFolder('gbx-')).path, 'home');
const newProject = (): TestProject => scope.use(createTestProject());

test.beforeAll(async () => {
  test.setTimeout(IMAGES_MS);
  scope = createScope('window spec');
  const files = scope.use(createTestFolder('gbx-spec-'));
  files.write({ passphrase: 'correct horse battery staple\n' });
  const passphrase = join(files.path, 'passphrase');
  chmodSync(passphrase, 0o600);
  env = { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: passphrase };
  serving = scope.use(await startServing({ home: newHome(), env }));
});

test.afterAll(async () => {
  await scope.close();
});

test.beforeEach(async ({ page }) => {
  watched = watchPage(page);
  await readableTerminals(page);
});

const open = async (page: Page, at = serving): Promise<void> => {
  await page.goto(await at.renew());
  await page.getByTestId('project-picker').waitFor();
};

/** Starts a shell in a fresh project and waits for its prompt. */
const startShell = async (page: Page, project: TestProject): Promise<void> => {
  const start = startPage(page);
  await page.getByTestId('new-session').click();
  if (await page.getByTestId('other-folder').isVisible()) {
    await page.getByTestId('other-folder').click();
  }
  await start.openProject(project.path);
  await start.chooseAssistant('Shell');
  await start.start();
  await expect(page.getByTestId('session-page')).toHaveAttribute('data-state', 'running', {
    timeout: IMAGES_MS,
  });
  await expect(sessionPage(page).screen.last()).toContainText('$');
};

/** Pictures for people, where the run asks for them. */
const picture = async (page: Page, name: string): Promise<void> => {
  const folder = process.env['GLOVEBOX_PICTURES'];
  if (folder !== undefined) await page.screenshot({ path: join(folder, `${name}.png`) });
};

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

test('no session, an unknown folder, and waiting are said in words', async ({ page }) => {
  const empty = scope.use(await startServing({ home: newHome(), env }));
  const project = newProject();
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
    await open(page, empty);
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
    await expect(page.getByTestId('session-page')).toHaveAttribute('data-state', 'running');
    await sessionPage(page).show('Credentials');
    await expect(page.getByTestId('timeline-empty')).toContainText('No credential has been used');
    await sessionPage(page).filter('no-such-word');
    await expect(page.getByTestId('timeline-empty')).toContainText('Nothing fits the filter');
    await sessionPage(page).stop();
    await expect(page.getByTestId('review-empty')).toContainText('No changes');
  });
  expect(watched.problems).toEqual([]);
  await empty.close();
});

test('axe finds nothing, nothing overflows and the policy holds, in every view, theme and size', async ({
  page,
}) => {
  test.setTimeout(600_000);
  const session = sessionPage(page);
  const project = newProject();
  const other = newProject();
  await open(page);

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
  expect(watched.problems).toEqual([]);
});

test('by keyboard alone: open, start, filter, details, stop, review, discard', async ({ page }) => {
  const project = newProject();
  const untouched = fingerprint(project.path);
  const session = sessionPage(page);
  await open(page);
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
    await expect(page.getByTestId('session-page')).toHaveAttribute('data-state', 'running');
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
  expect(watched.problems).toEqual([]);
});

test('a start that fails says why and what to do, and starting again is one key away', async ({
  page,
}) => {
  const start = startPage(page);
  await open(page);

  await test.step('the project is gone by the time it starts', async () => {
    const project = newProject();
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
    await expect(page.getByTestId('session-page')).toHaveAttribute('data-state', 'running');
    await sessionPage(page).stop();
    await expect(page.getByTestId('review-empty')).toBeVisible();
  });

  await test.step('the credential is gone by the time it starts', async () => {
    const project = newProject();
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
  expect(watched.problems).toEqual([]);
});

test('the timeline is live, says why, and stays usable under thousands of touches', async ({
  page,
}) => {
  const session = sessionPage(page);
  await open(page);
  await startShell(page, newProject());

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
    await page.getByTestId('timeline-row').first().waitFor();
    await session.timeline.focus();
    await page.keyboard.press('End');
    await expect.poll(place).toBeGreaterThan(0);
  });
  await session.stop();
  await expect(session.changedFiles).toContainText('3,200 files changed', { timeout: 60_000 });
  expect(watched.problems).toEqual([]);
});

test('the value of a credential stays in no place of the window', async ({ page }) => {
  const VALUE = 'sk-canary-window-5f1c9e77a204';
  const ROTATED = 'sk-canary-rotated-0b3d6ae4419f';
  const start = startPage(page);
  await open(page);
  await start.openProject(newProject().path);
  await start.chooseAssistant('Shell');
  await start.addCredential({ name: 'canary', kind: 'openai', secret: VALUE });
  await page.getByTestId('open-credentials').click();
  await page.getByRole('button', { name: 'Replace the value of canary' }).click();
  await page.getByTestId('credential-secret').fill(ROTATED);
  await page.getByTestId('credential-save').click();
  await expect(page.getByTestId('credential-secret')).toBeHidden();
  await expect(page.getByRole('row', { name: /canary/ })).toContainText('replaced');
  const everything = await page.evaluate<string>(`(() => {
    const fields = Array.from(document.querySelectorAll('input, textarea'), (field) => field.value);
    return [document.documentElement.outerHTML, ...fields, JSON.stringify(localStorage),
      JSON.stringify(sessionStorage), document.cookie, location.href, JSON.stringify(history.state)].join('\\n');
  })()`);
  expect(everything).toContain('canary');
  const received = watched.received.join('\n');
  expect(received).toContain('canary');
  // The wire is where it went to the host, once each, and nothing brings it back.
  expect(watched.sent.filter((message) => message.includes(VALUE))).toHaveLength(1);
  expect(watched.sent.filter((message) => message.includes(ROTATED))).toHaveLength(1);
  for (const value of [VALUE, ROTATED]) {
    expect(everything).not.toContain(value);
    expect(received).not.toContain(value);
  }
  expect(watched.problems).toEqual([]);
});

test('a locked store of credentials says so, opens with a passphrase, and keeps it to itself', async ({
  page,
}) => {
  const PASSPHRASE = 'correct-horse-battery-canary';
  const locked = scope.use(await startServing({ home: newHome(), env: SEALED_UNOPENED }));
  await open(page, locked);
  await page.getByTestId('open-credentials').click();
  await expect(page.getByTestId('unlock-form')).toBeVisible();
  await expect(page.getByTestId('add-credential-button')).toBeHidden();
  await expect(page.getByTestId('credentials-empty')).toContainText('Choose a passphrase above');
  await picture(page, 'locked-credentials');
  await page.getByTestId('new-session').click();
  await startPage(page).openProject(newProject().path);
  const section = page.getByRole('region', { name: 'Credentials' });
  await expect(section).toContainText('Choose a passphrase above');
  await expect(section.getByRole('button', { name: /Add/ })).toHaveCount(0);
  await picture(page, 'locked-start');
  await page.getByTestId('unlock-passphrase').fill(PASSPHRASE);
  await page.getByTestId('unlock-vault').click();
  await expect(page.getByTestId('unlock-form')).toBeHidden();
  await expect(section.getByRole('button', { name: 'Add a credential' })).toHaveCount(2);
  expect(watched.received.join('\n')).not.toContain(PASSPHRASE);
  expect(await page.content()).not.toContain(PASSPHRASE);
  expect(watched.problems).toEqual([]);
  await locked.close();
});

test('a sealed file that is locked says so instead of that nothing is stored', async ({ page }) => {
  const PASSPHRASE = 'correct-horse-battery';
  const home = newHome();
  mkdirSync(home, { mode: 0o700 });
  const before = unwrap(await openVault({ home, env: { GLOVEBOX_VAULT: 'sealed' } }));
  unwrap(await before.unlock(new Secret(PASSPHRASE)));
  const locked = scope.use(await startServing({ home, env: SEALED_UNOPENED }));
  await open(page, locked);
  await page.getByTestId('open-credentials').click();
  const empty = page.getByTestId('credentials-empty');
  await expect(empty).toContainText('The sealed file is locked');
  await expect(empty).toContainText('Give its passphrase above.');
  await expect(page.getByTestId('credentials-page')).not.toContainText('No credential is stored');
  await picture(page, 'locked-again-credentials');
  await page.getByTestId('new-session').click();
  await startPage(page).openProject(newProject().path);
  const section = page.getByRole('region', { name: 'Credentials' });
  await expect(section).toContainText('The sealed file is locked. Give its passphrase above.');
  await page.getByTestId('unlock-passphrase').fill(PASSPHRASE);
  await page.getByTestId('unlock-vault').click();
  await expect(section).toContainText('No credential is stored.');
  expect(watched.problems).toEqual([]);
  await locked.close();
});

test('a locked keychain says so instead of that nothing is stored, and is tried again on demand', async ({
  page,
}) => {
  const missing = missingForKeychain();
  test.skip(missing.length > 0, `a keychain of its own needs ${missing.join(' and ')}`);
  const keychain = createOwnKeychain(scope);
  // Its first start makes the keyring that the second finds locked.
  await keychain.start(true);
  await keychain.start(false);
  const locked = scope.use(await startServing({ home: newHome(), env: keychain.env }));
  await open(page, locked);
  await page.getByTestId('open-credentials').click();
  const credentials = page.getByTestId('credentials-page');
  const retry = credentials.getByRole('button', { name: 'Try again' });
  await expect(credentials.getByTestId('problem')).toHaveAttribute('data-code', 'vault.locked');
  await expect(credentials).toContainText('Unlock it in your system’s password manager');
  await expect(credentials).not.toContainText('No credential is stored');
  await retry.click();
  await expect(retry).toBeEnabled();
  await expect(credentials.getByTestId('problem')).toBeVisible();

  await keychain.start(true);
  await retry.click();
  await expect(page.getByTestId('credentials-empty')).toContainText('No credential is stored');
  await expect(page.getByTestId('add-credential-button')).toBeVisible();
  expect(watched.problems).toEqual([]);
  await locked.close();
});

test('the link lets in one browser, once; a reload keeps working', async ({ page, browser }) => {
  const link = await serving.renew();
  await page.goto(link);
  await page.getByTestId('project-picker').waitFor();
  await page.reload();
  await expect(page.getByTestId('open-this-folder')).toBeVisible();
  expect(watched.problems).toEqual([]);

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
  const home = newHome();
  const first = scope.use(await startServing({ home, env }));
  await open(page, first);
  await startPage(page).openProject(newProject().path);
  await expect(page.getByTestId('start-session')).toBeEnabled();
  expect(watched.problems).toEqual([]);
  await first.kill();
  const banner = page.getByTestId('connection-lost');
  await expect(banner).toContainText('Connection to Glovebox lost');
  await expect(banner).toContainText('open the address that it printed');
  await picture(page, 'connection-lost');

  const port = new URL(first.url).port;
  const second = scope.use(await startServing({ home, env, args: ['--port', port] }));
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
