import { mkdir } from 'node:fs/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FREE_PORTS, type ServerProcess, startServer } from '../support/server-process.js';
import { hasChromium, openWindow, type Window } from './chromium.js';
import { expectGoodLooks, expectGuarded, SCREENSHOTS, tabTo } from './looks.js';

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

  it('works by keyboard alone, from the link to the last page [security 14, 45]', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);

    expectGuarded(await page.goto(String(loginUrl)));
    expect(new URL(page.url()).search).toBe('');
    const connectText = await page.locator('main').textContent();
    for (const shown of [
      CLIENT_NAME,
      'Notes',
      'Notes (demo identity provider)',
      'your identity',
      'profile',
      'notes',
      'just now',
    ]) {
      expect(connectText).toContain(shown);
    }
    expect(await lookOf(page, 'Decline')).toEqual(await lookOf(page, 'Continue'));
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
    await page.getByText(`You can close this window and return to ${CLIENT_NAME}.`).waitFor();
    expect(await login(client)).toMatchObject({ status: 'authenticated', account: { subject: 'alice' } });
    expectQuiet();
  });

  it('ends without a login when the user declines, by keyboard too', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);
    await page.goto(String(loginUrl));
    await tabTo(page, 'Decline');
    await page.keyboard.press('Space');

    await page.waitForURL(/\/login\/failed\/declined$/);
    await page.getByRole('heading', { name: 'Login declined' }).waitFor();
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

    await page.waitForURL(/\/login\/failed\/declined\/authorization_denied$/);
    await page.getByRole('heading', { name: 'Login declined' }).waitFor();
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
    const code = (await page.locator('.code').textContent()) ?? '';
    expect(await login(client)).toMatchObject({ status: 'confirmation_required' });
    expect(await login(client, code)).toMatchObject({
      status: 'authenticated',
      account: { subject: 'dora' },
    });
    expectQuiet();
  });

  it('accepts consent only from its own page and browser [security 11]', async () => {
    const client = await connect();
    const { loginUrl } = await login(client);
    await page.goto(String(loginUrl));
    const form = await page.locator('input[name=form]').inputValue();
    expect(await page.context().cookies()).toMatchObject([{ httpOnly: true, sameSite: 'Lax' }]);

    // Cookies are also sent to pages at other ports of this host.
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
    await page.getByRole('heading', { name: 'Request rejected' }).waitFor();

    await page.goto(String(loginUrl));
    await page.context().clearCookies();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByRole('heading', { name: 'Form rejected' }).waitFor();
    await tabTo(page, 'Open the login again');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Log in to Notes?' }).waitFor();
    expect(await login(client)).toMatchObject({ status: 'pending', loginUrl });
  });

  async function connect(): Promise<Client> {
    const client = new Client({ name: 'example', title: CLIENT_NAME, version: '1.0.0' });
    clients.push(client);
    await client.connect(new StreamableHTTPClientTransport(new URL(server.addresses.mcp)));
    return client;
  }

  /** The browser had no problems and sent requests to this host only. */
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
  // All tools called here return structured content.
  return structuredContent as Record<string, unknown>;
}

function login(client: Client, code?: string): Promise<Record<string, unknown>> {
  return call(client, 'login', code === undefined ? {} : { code });
}

/** The style of a button, without its horizontal position. */
function lookOf(page: Page, label: string): Promise<Record<string, unknown>> {
  return page.getByRole('button', { name: label }).evaluate((button) => {
    const { width, height, top } = button.getBoundingClientRect();
    const { color, backgroundColor, font, border, boxShadow, opacity } = getComputedStyle(button);
    return { width, height, top, color, backgroundColor, font, border, boxShadow, opacity };
  });
}
