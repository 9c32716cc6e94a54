// Takes pictures of every view and state, in both themes and two sizes, from the sample host, under the
// content security policy of the real page; prints what the policy or axe has against them.
// Run: node renderer/dev/screenshots.ts [name pattern] [built]. Pictures go to GLOVEBOX_PICTURES or a fresh folder, which is printed.
import { AxeBuilder } from '@axe-core/playwright';
import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { chromium, type Page } from 'playwright';
import { build } from 'vite';

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};

type Shot = {
  readonly name: string;
  readonly fixture: string;
  readonly hash?: string;
  readonly act?: (page: Page) => Promise<void>;
};

const pick = async (page: Page): Promise<void> => {
  await page.getByTestId('recent-project').first().click();
  await page.getByTestId('start-session').waitFor();
};
const MAIN = '#/session/harb0r000001';

const SHOTS: readonly Shot[] = [
  { name: 'picker', fixture: 'start' },
  { name: 'picker-empty', fixture: 'empty' },
  {
    name: 'picker-failing',
    fixture: 'failing',
    act: async (page) => {
      await page.getByTestId('project-path').fill('/home/me/missing');
      await page.keyboard.press('Enter');
      await page.getByTestId('problem').first().waitFor();
    },
  },
  { name: 'start', fixture: 'start', act: pick },
  {
    name: 'start-changed',
    fixture: 'full',
    act: async (page) => {
      await pick(page);
      await page.getByTestId('workspace-live').click();
      await page.getByTestId('network-allow').click();
      await page.locator('[data-name="internal-search"]').getByTestId('grant-switch').click();
      await page.getByTestId('hide-add').fill('../outside');
      await page.getByTestId('hide-add').press('Enter');
      await page.getByTestId('allow-add').fill('docs.example.com');
      await page.getByTestId('allow-add').press('Enter');
      await page.getByTestId('hidden-toggle').first().click();
    },
  },
  {
    name: 'start-narrowed',
    fixture: 'full',
    act: async (page) => {
      await pick(page);
      await page.getByTestId('grant-edit').first().click();
      await page.getByTestId('grant-methods').fill('get, POST');
      await page.getByTestId('grant-paths').fill('/v1/*');
      await page.getByTestId('grant-sites').fill('cookie');
      for (const [verdict, host] of [
        ['allow', 'docs.example.com'],
        ['passThrough', 'pinned.example.com'],
        ['deny', 'paste.example.com'],
      ] as const) {
        await page.getByTestId('rule-verdict').selectOption(verdict);
        await page.getByTestId('allow-add').fill(host);
        await page.getByTestId('allow-add').press('Enter');
      }
      await page.getByTestId('rule-verdict').selectOption('passThrough');
    },
  },
  {
    name: 'start-ask',
    fixture: 'full',
    act: async (page) => {
      await pick(page);
      await page.getByTestId('network-ask').click();
      await page.locator('[data-name="harbor-db"]').getByTestId('grant-switch').click();
      await page.locator('[data-name="harbor-db"]').getByTestId('grant-edit').click();
      await page.getByTestId('rule-verdict').selectOption('passThrough');
      await page.getByTestId('allow-add').fill('https://docs.example.com/a');
      await page.getByTestId('allow-add').press('Enter');
      await page.getByTestId('limit-ttl').focus();
    },
  },
  {
    name: 'start-no-variable',
    fixture: 'full',
    act: async (page) => {
      await pick(page);
      await page.locator('[data-name="crm"]').getByTestId('grant-switch').click();
    },
  },
  {
    name: 'start-no-credentials',
    fixture: 'empty',
    act: async (page) => {
      await page.getByTestId('project-path').fill('/home/me/harbor-api');
      await page.keyboard.press('Enter');
      await page.getByTestId('start-session').waitFor();
    },
  },
  { name: 'session', fixture: 'quiet', hash: MAIN },
  { name: 'session-asking', fixture: 'asking', hash: MAIN },
  { name: 'session-crowded', fixture: 'crowded', hash: MAIN },
  {
    name: 'session-asking-keys',
    fixture: 'asking',
    hash: MAIN,
    act: async (page) => {
      await page.waitForTimeout(600);
      await page.getByTestId('question').nth(1).focus();
      await page.keyboard.press('Tab');
      await page.keyboard.press('Tab');
    },
  },
  {
    name: 'session-answered',
    fixture: 'asking',
    hash: MAIN,
    act: async (page) => {
      await page.waitForTimeout(600);
      await page.getByTestId('refuse').first().click();
      await page.getByTestId('question').first().waitFor();
    },
  },
  {
    name: 'session-broker-blocked',
    fixture: 'broker',
    hash: MAIN,
    act: (page) => page.getByTestId('timeline-view-blocked').click(),
  },
  { name: 'session-broker', fixture: 'broker', hash: MAIN },
  {
    name: 'session-broker-middle',
    fixture: 'broker',
    hash: MAIN,
    act: (page) =>
      page.getByTestId('timeline-rows').evaluate((list) => {
        list.scrollTop = 800;
      }),
  },
  {
    name: 'session-broker-older',
    fixture: 'broker',
    hash: MAIN,
    act: async (page) => {
      await page.getByTestId('timeline-rows').focus();
      await page.keyboard.press('End');
    },
  },
  ...(
    [
      ['refused', 'code:watch.hidden-value'],
      ['unread', 'host:updates.pinned'],
      ['raw', 'host:smtp.example.com'],
      ['failed', 'host:api.internal'],
      ['approval', 'host:github.com approval'],
      ['long', 'harbor-artifacts-of'],
      ['gap', 'gap'],
      ['policy', 'policy'],
      ['tripped', 'host:dns'],
    ] as const
  ).map(([name, words]): Shot => ({
    name: `details-${name}`,
    fixture: 'broker',
    hash: MAIN,
    act: async (page) => {
      await page.getByTestId('timeline-filter').fill(words);
      await page.getByTestId('timeline-filter').press('Enter');
      await page.waitForTimeout(500);
      await page.getByTestId('timeline-rows').focus();
      await page.keyboard.press('Enter');
      await page.getByTestId('timeline-details').waitFor();
    },
  })),
  { name: 'session-full', fixture: 'full', hash: MAIN },
  {
    name: 'session-blocked',
    fixture: 'quiet',
    hash: MAIN,
    act: (page) => page.getByTestId('timeline-view-blocked').click(),
  },
  {
    name: 'session-details',
    fixture: 'quiet',
    hash: MAIN,
    act: async (page) => {
      await page.getByTestId('timeline-filter').fill('prog:npm host:telemetry');
      await page.getByTestId('timeline-filter').press('Enter');
      await page.waitForTimeout(500);
      await page.getByTestId('timeline-row').first().click();
      await page.getByTestId('timeline-details').waitFor();
    },
  },
  {
    name: 'session-waiting',
    fixture: 'session',
    hash: MAIN,
    act: async (page) => {
      await page.getByTestId('timeline-rows').hover();
      await page.mouse.wheel(0, 600);
      await page.getByTestId('timeline-jump').waitFor();
    },
  },
  {
    name: 'session-no-match',
    fixture: 'quiet',
    hash: MAIN,
    act: async (page) => {
      await page.getByTestId('timeline-filter').fill('nowhere');
      await page.getByTestId('timeline-empty').waitFor();
    },
  },
  { name: 'session-live', fixture: 'quiet', hash: '#/session/ajar00000001' },
  { name: 'session-starting', fixture: 'quiet', hash: '#/session/start0000001' },
  { name: 'session-failed', fixture: 'quiet', hash: '#/session/fa1ed0000001' },
  {
    name: 'session-search',
    fixture: 'quiet',
    hash: MAIN,
    act: async (page) => {
      await page.locator('.xterm-helper-textarea').first().focus();
      await page.keyboard.press('Control+Shift+F');
      await page.keyboard.type('webhook');
    },
  },
  {
    name: 'stop-question',
    fixture: 'quiet',
    hash: MAIN,
    act: (page) => page.getByTestId('stop-session').click(),
  },
  { name: 'review-running', fixture: 'quiet', hash: `${MAIN}/review` },
  {
    name: 'review-ended',
    fixture: 'quiet',
    hash: '#/session/ended0000001',
    act: async (page) => {
      await page.getByTestId('verify-timeline').click();
      await page.getByTestId('verify-result').waitFor();
    },
  },
  {
    name: 'review-question',
    fixture: 'quiet',
    hash: '#/session/ended0000001',
    act: (page) => page.getByTestId('accept-all').click(),
  },
  { name: 'review-full', fixture: 'full', hash: '#/session/ended0000001' },
  { name: 'review-empty', fixture: 'quiet', hash: '#/session/cxsed0000001' },
  { name: 'credentials', fixture: 'quiet', hash: '#/credentials' },
  { name: 'credentials-full', fixture: 'full', hash: '#/credentials' },
  { name: 'credentials-empty', fixture: 'empty', hash: '#/credentials' },
  { name: 'credentials-locked', fixture: 'failing', hash: '#/credentials' },
  ...(['locked-keychain', 'locked-file', 'new-file'] as const).flatMap((fixture): Shot[] => [
    { name: `credentials-${fixture}`, fixture, hash: '#/credentials' },
    {
      name: `start-${fixture}`,
      fixture,
      act: async (page) => {
        await page.getByTestId('project-path').fill('/home/me/harbor-api');
        await page.keyboard.press('Enter');
        await page.getByTestId('start-session').waitFor();
      },
    },
  ]),
  {
    name: 'credential-add',
    fixture: 'quiet',
    hash: '#/credentials',
    act: async (page) => {
      await page.getByTestId('add-credential-button').click();
      await page.getByLabel('Kind').selectOption('header');
      await page.getByTestId('credential-save').click();
    },
  },
  ...[
    'aws',
    'google-service-account',
    'oauth-refresh',
    'postgres',
    'bearer',
    'basic',
    'query',
    'path',
    'json',
    'form',
  ].map((kind): Shot => ({
    name: `credential-add-${kind}`,
    fixture: 'quiet',
    hash: '#/credentials',
    act: async (page) => {
      await page.getByTestId('add-credential-button').click();
      await page.getByLabel('Kind').selectOption(kind);
      if (kind === 'aws') await page.getByTestId('credential-save').click();
      if (kind === 'google-service-account')
        await page.getByTestId('credential-secret').fill('{"type":\n"service_account"}');
    },
  })),
  ...['harbor-artifacts', 'anthropic-work'].map((name): Shot => ({
    name: `credential-rotate-${name}`,
    fixture: 'full',
    hash: '#/credentials',
    act: async (page) => {
      await page.locator(`[data-name="${name}"]`).getByTestId('credential-rotate').click();
      await page.getByTestId('credential-save').click();
    },
  })),
  {
    name: 'credential-remove',
    fixture: 'quiet',
    hash: '#/credentials',
    act: (page) => page.getByTestId('credential-remove').first().click(),
  },
  {
    name: 'palette',
    fixture: 'quiet',
    hash: MAIN,
    act: (page) => page.getByTestId('open-palette').click(),
  },
  {
    name: 'shortcuts',
    fixture: 'quiet',
    hash: MAIN,
    act: (page) => page.getByTestId('open-shortcuts').click(),
  },
  {
    name: 'guarantees',
    fixture: 'quiet',
    hash: MAIN,
    act: (page) => page.getByTestId('open-guarantees').click(),
  },
  {
    name: 'status-problem',
    fixture: 'failing',
    act: (page) => page.getByTestId('status-engine').click(),
  },
  {
    name: 'toast',
    fixture: 'quiet',
    hash: '#/session/ended0000001',
    act: async (page) => {
      await page.getByTestId('accept-all').click();
      await page.getByTestId('confirm-accept-yes').click();
      await page.getByTestId('toast').first().waitFor();
    },
  },
  { name: 'lost', fixture: 'lost' },
];

/** The usual size and the least one of the desktop app's window; others from `GLOVEBOX_PICTURE_SIZES`. */
const SIZES = (process.env['GLOVEBOX_PICTURE_SIZES'] ?? '1440x900,1100x700')
  .split(',')
  .map((size) => size.split('x').map(Number))
  .map(([width = 0, height = 0]) => ({ width, height }));

const root = join(import.meta.dirname, '..', '..');
const out = process.env['GLOVEBOX_PICTURES'] ?? mkdtempSync(join(tmpdir(), 'window-pictures-'));
const wanted = new RegExp(process.argv[2] ?? '');

if (process.argv[3] !== 'built') {
  await build({
    configFile: join(root, 'renderer/vite.config.ts'),
    mode: 'fixture',
    logLevel: 'error',
  });
}
const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://here').pathname;
  const file = path === '/' ? '/index.html' : path;
  try {
    const body = readFileSync(join(root, 'dist/renderer-fixture', file));
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-security-policy': CSP,
    });
    response.end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
const browser = await chromium.launch({
  executablePath: process.env['GLOVEBOX_CHROMIUM'] ?? '/usr/bin/chromium',
  args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking'],
});

const complaints = new Map<string, Set<string>>();
const complain = (shot: string, words: string): void => {
  const shots = complaints.get(words) ?? new Set();
  complaints.set(words, shots.add(shot));
};

for (const colorScheme of ['dark', 'light'] as const) {
  for (const viewport of SIZES) {
    const context = await browser.newContext({ viewport, colorScheme, reducedMotion: 'reduce' });
    for (const shot of SHOTS.filter(({ name }) => wanted.test(name))) {
      const label = `${shot.name}-${colorScheme}-${viewport.width}`;
      const page = await context.newPage();
      page.setDefaultTimeout(4_000);
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning')
          complain(label, message.text());
      });
      page.on('pageerror', (error) => {
        complain(label, error.message);
      });
      await page.goto(`${origin}/?fixture=${shot.fixture}${shot.hash ?? ''}`);
      await page.locator('#root > *').first().waitFor();
      await page.waitForTimeout(450);
      try {
        await shot.act?.(page);
      } catch (failure) {
        complain(label, `could not act: ${String(failure).slice(0, 200)}`);
      }
      await page.waitForTimeout(250);
      await page.screenshot({ path: join(out, `${label}.png`) });
      if (viewport === SIZES[0]) {
        const { violations } = await new AxeBuilder({ page }).exclude('.xterm').analyze();
        for (const { id, nodes } of violations) {
          complain(
            label,
            `axe ${id}: ${nodes
              .slice(0, 3)
              .map((node) => `${node.target.join(' ')} ${node.any[0]?.message ?? ''}`)
              .join(' | ')}`,
          );
        }
      }
      await page.close();
    }
    await context.close();
  }
}
await browser.close();
server.close();
console.log(out);
for (const [words, shots] of complaints) {
  console.log(
    `\n${words}\n   in ${Array.from(shots).slice(0, 5).join(', ')}${shots.size > 5 ? ` and ${shots.size - 5} more` : ''}`,
  );
}
