import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Page, Response } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FREE_PORTS, type ServerProcess, startServer } from '../support/server-process.js';
import { appearanceOf, contrast, focusOf, luminance } from './appearance.js';
import { hasChromium, openWindow, type Window } from './chromium.js';

const SCREENSHOTS = fileURLToPath(new URL('../../test-results/screenshots/', import.meta.url));

const SCHEMES = ['light', 'dark'] as const;
const SIZES = [
  { width: 360, height: 740 },
  { width: 1280, height: 800 },
];

/** WCAG 2.2, 1.4.3 (text) and 1.4.11 (what shows where a control is). */
const TEXT_CONTRAST = 4.5;
const CONTROL_CONTRAST = 3;
/** WCAG 2.2, 2.5.5: what a thumb hits. */
const TARGET_PX = 44;

const CLIENT_NAME = 'Example Client';

describe.skipIf(!hasChromium())('logging in with a browser', () => {
  let server: ServerProcess;
  let browser: Window;
  let page: Page;
  const clients: Client[] = [];

  beforeAll(async () => {
    await mkdir(SCREENSHOTS, { recursive: true });
    server = await startServer({ flags: FREE_PORTS });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close()));
    await server?.stop();
  });
  beforeEach(async () => {
    browser = await openWindow();
    page = browser.page;
  });
  afterEach(async () => {
    await browser?.close();
  });

  it('goes from the link to the end by keyboard alone, and the client is logged in [security 14, 45]', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);

    expectGuarded(await page.goto(String(loginUrl)));
    const connectText = await page.locator('main').textContent();
    for (const shown of [CLIENT_NAME, 'Notes', 'sample', 'openid', 'profile', 'notes', 'just now']) {
      expect(connectText).toContain(shown);
    }
    await expectGoodLooks(page, 'connect');
    await expectEqualButtons(page, 'Decline', 'Continue');
    expect(await login(client)).toMatchObject({ status: 'pending', loginUrl });

    await tabTo(page, 'Decline');
    await tabTo(page, 'Continue');
    await page.keyboard.press('Enter');

    await page.waitForURL(`${server.addresses.identityProvider}/**`);
    await expectGoodLooks(page, 'identity-provider');
    await tabTo(page, 'alice');
    const done = page.waitForResponse(/\/login\/done$/);
    await page.keyboard.press('Enter');

    expectGuarded(await done);
    await page.waitForURL(/\/login\/done$/);
    await page.getByText('You can close this window').waitFor();
    await expectGoodLooks(page, 'done');
    expect(await login(client)).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
    expectQuiet();
  });

  it('ends without a login when the user declines', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);
    await page.goto(String(loginUrl));
    await page.getByRole('button', { name: 'Decline' }).click();

    await page.waitForURL(/\/login\/failed\/declined$/);
    await page.getByRole('heading', { name: 'Nobody was logged in' }).waitFor();
    await expectGoodLooks(page, 'declined');
    expect(await call(client, 'session_status')).toMatchObject({ state: 'anonymous' });
    const told = await client.callTool({ name: 'login', arguments: {} });
    expect(told).toMatchObject({ isError: true, content: [{ text: expect.stringContaining('declined') }] });
    expect((await login(client)).loginUrl).not.toBe(loginUrl);
    expectQuiet();
  });

  it('ends without a login when the user cancels at the identity provider', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);
    await page.goto(String(loginUrl));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();

    await page.waitForURL(/\/login\/failed\/declined$/);
    await page.getByRole('heading', { name: 'Nobody was logged in' }).waitFor();
    expect(await call(client, 'session_status')).toMatchObject({ state: 'anonymous' });
    expectQuiet();
  });

  it('shows a code for the client to present when the browser may be on another machine', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);
    await page.setExtraHTTPHeaders({ 'x-forwarded-for': '192.0.2.1' });
    await page.goto(String(loginUrl));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByLabel('Name').fill('dora');
    await page.getByLabel('Password').fill('any');
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();

    await page.waitForURL(/\/connect\/[^/]+\/code$/);
    await expectGoodLooks(page, 'code');
    const code = (await page.locator('.code').textContent()) ?? '';
    expect(await login(client)).toMatchObject({ status: 'confirmation_required' });
    expect(await login(client, code)).toMatchObject({
      status: 'authenticated',
      account: { subject: 'dora' },
    });
    expectQuiet();
  });

  it('takes consent from its own page and its own browser only [security 11]', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);
    await page.goto(String(loginUrl));
    const form = await page.locator('input[name=form]').inputValue();
    expect(await page.context().cookies()).toMatchObject([{ httpOnly: true, sameSite: 'Lax' }]);

    // Another page of this machine, to which cookies go as well: they know no ports.
    await page.goto(`${server.addresses.identityProvider}/.well-known/openid-configuration`);
    await page.evaluate(
      ([action, token]) => {
        document.body.innerHTML =
          '<form method="post"><input name="form"><input name="action" value="continue">';
        const forged = document.forms[0]!;
        forged.action = action!;
        forged.querySelector('input')!.value = token!;
        forged.submit();
      },
      [String(loginUrl), form],
    );
    await page.getByRole('heading', { name: 'This page cannot go on' }).waitFor();

    await page.goto(String(loginUrl));
    await page.context().clearCookies();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'This page cannot go on' }).waitFor();
    expect(await login(client)).toMatchObject({ status: 'pending', loginUrl });
  });

  async function connect(): Promise<Client> {
    const client = new Client({ name: 'example', title: CLIENT_NAME, version: '1.0.0' });
    clients.push(client);
    await client.connect(new StreamableHTTPClientTransport(new URL(server.addresses.mcp)));
    return client;
  }

  /** Nothing went wrong in the browser, and it asked nobody but this machine. */
  function expectQuiet(): void {
    expect(browser.problems).toEqual([]);
    expect([...browser.hosts]).toEqual(['127.0.0.1']);
  }
});

async function call(
  client: Client,
  name: string,
  args: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  const { structuredContent } = await client.callTool({ name, arguments: args });
  // All tools called here answer with a structure.
  return structuredContent as Record<string, unknown>;
}

function login(client: Client, code?: string): Promise<Record<string, unknown>> {
  return call(client, 'login', code === undefined ? {} : { code });
}

/** Security headers of a page, and an address that tells nothing. */
function expectGuarded(response: Response | null): void {
  const headers = response?.headers();
  expect(response?.status()).toBe(200);
  expect(new URL(response?.url() ?? '').search).toBe('');
  expect(headers).toMatchObject({
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'same-origin',
  });
  const policy = headers?.['content-security-policy'];
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
}

/** Takes pictures of a page, light and dark, on a phone and on a desktop, and holds them to what can be measured. */
async function expectGoodLooks(page: Page, name: string): Promise<void> {
  const backgrounds = { light: Number.NaN, dark: Number.NaN };
  for (const colorScheme of SCHEMES) {
    for (const size of SIZES) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(size);
      const look = `${name}-${colorScheme}-${size.width}`;
      await page.screenshot({ path: `${SCREENSHOTS}${look}.png`, fullPage: true });
      const { language, title, headings, overflowPx, background, texts, fields, targets } =
        await appearanceOf(page);

      expect({ look, language, headings: headings.length, overflowPx }).toEqual({
        look,
        language: 'en',
        headings: 1,
        overflowPx: 0,
      });
      expect(title, look).not.toBe('');
      expect(texts.length, look).toBeGreaterThan(0);
      expect(faint(texts, TEXT_CONTRAST), look).toEqual([]);
      expect(faint(fields, CONTROL_CONTRAST), look).toEqual([]);
      expect(
        targets.filter(({ width, height }) => Math.min(width, height) < TARGET_PX),
        look,
      ).toEqual([]);
      backgrounds[colorScheme] = luminance(background);
    }
  }
  expect(backgrounds.light, name).toBeGreaterThan(0.8);
  expect(backgrounds.dark, name).toBeLessThan(0.05);
}

function faint(pairs: ReadonlyArray<Parameters<typeof contrast>[0]>, least: number): string[] {
  return pairs
    .filter((pair) => contrast(pair) < least)
    .map((pair) => `${pair.what}: ${contrast(pair).toFixed(2)}`);
}

async function expectEqualButtons(page: Page, one: string, other: string): Promise<void> {
  const { targets } = await appearanceOf(page);
  const sizeOf = (label: string) => {
    const { width, height } = targets.find((target) => target.label === label)!;
    return { width: Math.round(width), height: Math.round(height) };
  };
  expect(sizeOf(one)).toEqual(sizeOf(other));
}

/** The next thing that the Tab key reaches is `label`, and one sees that it was reached. */
async function tabTo(page: Page, label: string): Promise<void> {
  await page.keyboard.press('Tab');
  for (const colorScheme of SCHEMES) {
    await page.emulateMedia({ colorScheme });
    const { ring, ...focus } = await focusOf(page);
    expect(focus).toMatchObject({ label, isVisible: true });
    expect(focus.ringWidthPx).toBeGreaterThanOrEqual(2);
    expect(contrast(ring), `${label}, ${colorScheme}`).toBeGreaterThanOrEqual(CONTROL_CONTRAST);
  }
}
