import { mkdirSync } from 'node:fs';
import { expect, test } from '@playwright/test';
import { Secret, unwrap } from '../../app/kit/index.ts';
import { openVault } from '../../app/vault/index.ts';
import { missingForKeychain } from '../../app/vault/testing/secret-service.ts';
import { createOwnKeychain } from '../fixtures/keychain.ts';
import { startServing } from '../fixtures/serve.ts';
import { useHost } from '../fixtures/window.ts';
import { picture } from '../pages/picture.ts';
import { startPage } from '../pages/start-page.ts';

/** Credentials in the window, and the stores of them that are locked. */

/** A sealed file whose passphrase nobody has given yet. */
const SEALED_UNOPENED = { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: undefined };

const host = useHost();

test('the value of a credential stays in no place of the window', async ({ page }) => {
  const VALUE = 'sk-canary-window-5f1c9e77a204';
  const ROTATED = 'sk-canary-rotated-0b3d6ae4419f';
  const start = startPage(page);
  await host.open(page);
  await start.openProject(host.newProject().path);
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
  const received = host.watched.received.join('\n');
  expect(received).toContain('canary');
  // The wire is where it went to the host, once each, and nothing brings it back.
  expect(host.watched.sent.filter((message) => message.includes(VALUE))).toHaveLength(1);
  expect(host.watched.sent.filter((message) => message.includes(ROTATED))).toHaveLength(1);
  for (const value of [VALUE, ROTATED]) {
    expect(everything).not.toContain(value);
    expect(received).not.toContain(value);
  }
  expect(host.watched.problems).toEqual([]);
});

test('a locked store of credentials says so, opens with a passphrase, and keeps it to itself', async ({
  page,
}) => {
  const PASSPHRASE = 'correct-horse-battery-canary';
  const locked = host.scope.use(await startServing({ home: host.newHome(), env: SEALED_UNOPENED }));
  await host.open(page, locked);
  await page.getByTestId('open-credentials').click();
  await expect(page.getByTestId('unlock-form')).toBeVisible();
  await expect(page.getByTestId('add-credential-button')).toBeHidden();
  await expect(page.getByTestId('credentials-empty')).toContainText('Choose a passphrase above');
  await picture(page, 'locked-credentials');
  await page.getByTestId('new-session').click();
  await startPage(page).openProject(host.newProject().path);
  const section = page.getByRole('region', { name: 'Credentials' });
  await expect(section).toContainText('Choose a passphrase above');
  await expect(section.getByRole('button', { name: /Add/ })).toHaveCount(0);
  await picture(page, 'locked-start');
  await page.getByTestId('unlock-passphrase').fill(PASSPHRASE);
  await page.getByTestId('unlock-vault').click();
  await expect(page.getByTestId('unlock-form')).toBeHidden();
  await expect(section.getByRole('button', { name: 'Add a credential' })).toHaveCount(2);
  expect(host.watched.received.join('\n')).not.toContain(PASSPHRASE);
  expect(await page.content()).not.toContain(PASSPHRASE);
  expect(host.watched.problems).toEqual([]);
  await locked.close();
});

test('a sealed file that is locked says so instead of that nothing is stored', async ({ page }) => {
  const PASSPHRASE = 'correct-horse-battery';
  const home = host.newHome();
  mkdirSync(home, { mode: 0o700 });
  const before = unwrap(await openVault({ home, env: { GLOVEBOX_VAULT: 'sealed' } }));
  unwrap(await before.unlock(new Secret(PASSPHRASE)));
  const locked = host.scope.use(await startServing({ home, env: SEALED_UNOPENED }));
  await host.open(page, locked);
  await page.getByTestId('open-credentials').click();
  const empty = page.getByTestId('credentials-empty');
  await expect(empty).toContainText('The sealed file is locked');
  await expect(empty).toContainText('Give its passphrase above.');
  await expect(page.getByTestId('credentials-page')).not.toContainText('No credential is stored');
  await picture(page, 'locked-again-credentials');
  await page.getByTestId('new-session').click();
  await startPage(page).openProject(host.newProject().path);
  const section = page.getByRole('region', { name: 'Credentials' });
  await expect(section).toContainText('The sealed file is locked. Give its passphrase above.');
  await page.getByTestId('unlock-passphrase').fill(PASSPHRASE);
  await page.getByTestId('unlock-vault').click();
  await expect(section).toContainText('No credential is stored.');
  expect(host.watched.problems).toEqual([]);
  await locked.close();
});

test('a locked keychain says so instead of that nothing is stored, and is tried again on demand', async ({
  page,
}) => {
  const missing = missingForKeychain();
  test.skip(missing.length > 0, `a keychain of its own needs ${missing.join(' and ')}`);
  const keychain = createOwnKeychain(host.scope);
  // Its first start makes the keyring that the second finds locked.
  await keychain.start(true);
  await keychain.start(false);
  const locked = host.scope.use(await startServing({ home: host.newHome(), env: keychain.env }));
  await host.open(page, locked);
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
  expect(host.watched.problems).toEqual([]);
  await locked.close();
});
