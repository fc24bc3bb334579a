import type { Request } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import { createSessions, type Sessions } from '../../packages/sessions/src/index.js';
import { freePort } from '../support/free-port.js';
import {
  type ProxiedIdentityProvider,
  startProxiedIdentityProvider,
} from '../support/proxied-identity-provider.js';
import { connect2025, startLogin } from '../support/raw-mcp.js';
import { hasChromium, openWindow } from './chromium.js';

const RESOURCE = 'urn:test:notes';

describe.skipIf(!hasChromium())('a provider whose page posts the response, in a browser', () => {
  let provider: ProxiedIdentityProvider;
  let sessions: Sessions;
  let mcp: string;
  beforeAll(async () => {
    // The redirect URI contains it before the server listens.
    const port = await freePort();
    // Another site than that of the provider, which is at 127.0.0.1.
    const publicUrl = `http://localhost:${port}`;
    const client = createCredentials('mcp-sessions');
    provider = await startProxiedIdentityProvider({
      client,
      resourceServer: createCredentials('notes-api'),
      resource: RESOURCE,
      redirectUri: `${publicUrl}/callback`,
    });
    sessions = createSessions({
      server: { name: 'notes', version: '1.0.0' },
      tools: () => undefined,
      publicUrl,
      providers: {
        name: 'sample',
        issuer: provider.issuer,
        ...client,
        scopes: ['openid', 'profile'],
        authorizationParams: { resource: RESOURCE },
        responseMode: 'form_post',
      },
    });
    mcp = (await sessions.listen({ port })).url;
  });
  afterAll(async () => {
    await sessions?.close();
    await provider?.close();
  });

  it('logs the user in: the redirect has the cookie that the form lacks [security 12]', async () => {
    const client = await connect2025(mcp);
    const link = await startLogin(client);
    const browser = await openWindow();
    try {
      const { page } = browser;
      const callbacks: Request[] = [];
      page.on('request', (request) => {
        if (new URL(request.url()).pathname === '/callback') callbacks.push(request);
      });
      await page.goto(link);
      await page.getByRole('button', { name: 'Continue' }).click();
      await page.getByRole('button', { name: 'alice' }).click();
      await page.waitForURL(/\/login\/done$/);
      expect(await page.locator('main').textContent()).toContain('You are logged in as alice');
      const cookies = callbacks.map(async (request) => [
        request.method(),
        ((await request.allHeaders()).cookie ?? '').includes('mcp-login-'),
      ]);
      expect(await Promise.all(cookies)).toEqual([
        ['POST', false],
        ['GET', true],
      ]);
      expect((await client.call('login')).structured).toMatchObject({ status: 'authenticated' });
    } finally {
      await browser.close();
    }
  });
});
