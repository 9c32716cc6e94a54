import { chmodSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@playwright/test';
import { createScope, type Scope } from '../../app/kit/index.ts';
import { createTestFolder } from '../fixtures/folder.ts';
import { createTestProject, fingerprint, type TestProject } from '../fixtures/project.ts';
import { startServing, type Serving } from '../fixtures/serve.ts';
import { readableTerminals, sessionPage } from '../pages/session-page.ts';
import { startPage } from '../pages/start-page.ts';
import { startAnthropicStandIn, type AnthropicStandIn } from '../upstreams/anthropic-messages.ts';
import { createTestAuthority } from '../upstreams/authority.ts';

/**
 * The whole way through, on real parts: a real browser, real containers, the real Claude Code binary, and the
 * real keychain where the run has one. Only the model's service is a stand-in, over TLS, in its own wire format.
 */

const REAL_KEY = 'sk-ant-api03-REALKEY-end-to-end-9d41b7c05f8e2a6b3c-AA';
const CREDENTIAL = 'anthropic-work';
const NOTE = 'hello from the assistant\n';
const IMAGES_MS = 900_000;

let scope: Scope;
let project: TestProject;
let model: AnthropicStandIn;
let serving: Serving;

test.beforeAll(async () => {
  test.setTimeout(IMAGES_MS);
  scope = createScope('assistant spec');
  project = scope.use(createTestProject());
  const home = scope.use(createTestFolder('gbx-'));
  const files = scope.use(createTestFolder('gbx-spec-'));
  const authority = await createTestAuthority();
  files.write({ 'ca.pem': authority.certificate, passphrase: 'correct horse battery staple\n' });
  chmodSync(join(files.path, 'passphrase'), 0o600);
  model = scope.use(
    await startAnthropicStandIn({
      identity: await authority.issue(['api.anthropic.com']),
      apiKey: REAL_KEY,
      script: {
        tool: {
          name: 'Write',
          input: { file_path: join(project.path, 'NOTES.md'), content: NOTE },
        },
        says: 'I wrote the note.',
      },
    }),
  );
  const keychain = process.env['GLOVEBOX_TEST_KEYCHAIN'] !== undefined;
  serving = scope.use(
    await startServing({
      home: join(home.path, 'home'),
      args: [
        '--resolve',
        `api.anthropic.com:443:127.0.0.1:${String(model.port)}`,
        '--upstream-ca',
        join(files.path, 'ca.pem'),
      ],
      env: keychain
        ? { GLOVEBOX_VAULT: 'keychain' }
        : { GLOVEBOX_VAULT: 'sealed', GLOVEBOX_PASSPHRASE_FILE: join(files.path, 'passphrase') },
    }),
  );
});

test.afterAll(async () => {
  await scope.close();
});

/** Searches what the sandbox can see for the real key and says `clean` or where it is; the needle is put together inside. */
const SEARCH = [
  "python3 - <<'P'",
  'import os, subprocess',
  `needle = b'${REAL_KEY.slice(0, 24)}' + b'${REAL_KEY.slice(24)}'`,
  'found = []',
  'mine = os.getpid()',
  'for pid in (p for p in os.listdir("/proc") if p.isdigit()):',
  '    for name in ("environ", "cmdline"):',
  '        try:',
  '            if needle in open(f"/proc/{pid}/{name}", "rb").read(): found.append(f"{pid}/{name}")',
  '        except OSError: pass',
  '    if int(pid) == mine: continue',
  '    try:',
  '        maps = open(f"/proc/{pid}/maps").read().splitlines()',
  '        memory = open(f"/proc/{pid}/mem", "rb", 0)',
  '    except OSError: continue',
  '    for line in maps:',
  '        span, rights = line.split()[:2]',
  '        if "r" not in rights: continue',
  '        start, end = (int(x, 16) for x in span.split("-"))',
  '        if end - start > 1 << 30: continue',
  '        try:',
  '            memory.seek(start); data = memory.read(end - start)',
  '        except (OSError, ValueError, OverflowError): continue',
  '        if needle in data: found.append(f"{pid}/mem")',
  'for top in ("/home", "/tmp", "/etc", "/run", "/var", os.getcwd()):',
  '    for folder, _, names in os.walk(top):',
  '        for name in names:',
  '            path = os.path.join(folder, name)',
  '            try:',
  '                if os.path.isfile(path) and not os.path.islink(path) and needle in open(path, "rb").read(): found.append(path)',
  '            except OSError: pass',
  'print("search-says", "clean" if not found else found)',
  'P',
].join('\n');

test('open a project, run Claude Code in the glovebox, watch it, review it, accept it', async ({
  page,
}) => {
  test.setTimeout(IMAGES_MS);
  const problems: string[] = [];
  page.on('pageerror', (failure) => problems.push(failure.message));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  const untouched = fingerprint(project.path);
  const start = startPage(page);
  const session = sessionPage(page);

  await test.step('what it will see and what stays hidden, with the rule', async () => {
    await readableTerminals(page);
    await page.goto(serving.url);
    await start.openProject(project.path);
    await expect(start.mounts.first()).toContainText(project.path);
    await expect(start.hidden.filter({ hasText: 'deploy/prod/eu/.env.production' })).toContainText(
      '.env files',
    );
    await expect(start.hidden.filter({ hasText: 'certs/dev-key.pem' })).toContainText(
      'private key',
    );
    await expect(start.hidden).toHaveCount(4);
  });

  await test.step('choose the assistant, lend it a credential, start', async () => {
    await start.chooseAssistant('Claude Code');
    await start.addCredential({ name: CREDENTIAL, kind: 'anthropic', secret: REAL_KEY });
    const lend = start.credential(CREDENTIAL);
    if ((await lend.getAttribute('aria-checked')) !== 'true') await lend.click();
    await expect(lend).toHaveAttribute('aria-checked', 'true');
    await start.start();
    const failed = page.getByTestId('session-failed');
    await expect(
      session.terminals.getByRole('tab', { name: 'Claude Code' }).or(failed),
    ).toBeVisible({
      timeout: IMAGES_MS,
    });
    await expect(failed).toBeHidden();
    await expect(session.grants).toContainText(CREDENTIAL);
    await expect(session.screen.first()).toContainText(/Claude/, { timeout: 60_000 });
  });

  await test.step('the assistant does its work, in print mode, beside its own interface', async () => {
    await session.openShell();
    await session.type('claude -p "write a note" --permission-mode acceptEdits');
    await expect(session.screen.last()).toContainText('I wrote the note.', { timeout: 90_000 });
    await session.type('cat NOTES.md; printenv ANTHROPIC_API_KEY | cut -c1-7');
    await expect(session.screen.last()).toContainText('hello from the assistant');
    await expect(session.screen.last()).toContainText('sk-ant-');
  });

  await test.step('the service got the real key, the sandbox never had it', async () => {
    const asked = model.seen.filter((request) => request.path.startsWith('/v1/messages'));
    expect(asked.length).toBeGreaterThan(1);
    for (const request of asked) {
      const key = request.headers['x-api-key'] ?? request.headers['authorization'];
      expect(key?.replace(/^Bearer /, '')).toBe(REAL_KEY);
    }
    for (const line of SEARCH.split('\n')) await session.type(line);
    await expect(session.screen.last()).toContainText('search-says clean', { timeout: 60_000 });
  });

  await test.step('the timeline shows the request with its credential, and the file', async () => {
    await session.show('Egress');
    const request = session.timeline.getByRole('option', { name: /POST \/v1\/messages/ }).first();
    await expect(request).toContainText('api.anthropic.com');
    await expect(request).toContainText(CREDENTIAL);
    await expect(request).toContainText('claude');
    await session.show('Files');
    await session.filter('NOTES.md');
    await expect(session.timeline.getByRole('option', { name: /NOTES\.md/ }).first()).toBeVisible();
    await session.filter('');
  });

  await test.step('what no rule names is blocked, and says why', async () => {
    await session.type('curl -sS https://collector.example/');
    await session.show('Blocked');
    const blocked = session.timeline.getByRole('option', { name: /collector\.example/ }).first();
    await expect(blocked).toContainText('egress.no-rule');
    await expect(session.screen.last()).toContainText('egress.no-rule');
    await session.show('All');
  });

  await test.step('stop: the host project is as it was, the changes wait', async () => {
    await session.stop();
    await expect(session.changedFiles).toContainText('1 file changed', { timeout: 60_000 });
    expect(fingerprint(project.path)).toBe(untouched);
    expect(existsSync(join(project.path, 'NOTES.md'))).toBe(false);
  });

  await test.step('review and accept', async () => {
    if (!(await page.getByTestId('review').isVisible())) await session.openReview();
    await expect(session.changes).toHaveCount(1);
    await expect(session.changes.first()).toContainText('NOTES.md');
    await page.getByTestId('accept-all').click();
    await page.getByTestId('confirm-accept-yes').click();
    await expect(page.getByTestId('accept-report')).toBeVisible();
    expect(readFileSync(join(project.path, 'NOTES.md'), 'utf8')).toBe(NOTE);
  });

  await test.step('the past timeline opens again and is intact', async () => {
    await page.reload();
    await page.getByRole('navigation', { name: 'Sessions' }).getByRole('button').first().click();
    await session.show('Egress');
    await expect(
      session.timeline.getByRole('option', { name: /POST \/v1\/messages/ }).first(),
    ).toBeVisible();
    expect(problems).toEqual([]);
  });
});
