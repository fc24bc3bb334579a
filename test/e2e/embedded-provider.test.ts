import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  type IdentityProvider,
  startIdentityProvider,
} from '../../packages/server/src/sample/identity-provider.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import { registerMcpClient } from '../support/mcp-tokens.js';
import { StepBrowser } from '../support/step-browser.js';

const MCP = 'http://127.0.0.1:3000/mcp';
const NOTES = 'urn:test:notes';
const SECOND_MS = 1000;

const credentials = {
  client: createCredentials('mcp-sessions'),
  resourceServer: createCredentials('notes-api'),
};
const start = (port = 0) =>
  startIdentityProvider({ port, ...credentials, resource: NOTES, servesMcpClients: true });

let provider: IdentityProvider;
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  provider = await start();
});
afterEach(async () => {
  vi.useRealTimers();
  await provider.close();
});

const register = (scope: string) => registerMcpClient(provider.issuer, MCP, scope);
const pass = (seconds: number) => vi.setSystemTime(Date.now() + seconds * SECOND_MS);
const scopesOf = ({ scope = '' }: { scope: string | undefined }) => scope.split(' ').sort();

describe('an MCP client of the embedded provider', () => {
  it('gets offline_access if it asks for it, and may repeat it at refresh', async () => {
    const client = await register('mcp offline_access');
    const tokens = await client.tokensFor('alice');
    expect(scopesOf(tokens)).toEqual(['mcp', 'offline_access']);
    const refreshed = await client.refresh(tokens.refreshToken, 'mcp offline_access');
    expect(scopesOf(refreshed)).toEqual(['mcp', 'offline_access']);
  });

  it('gets the granted scopes when it asks for others at refresh', async () => {
    const client = await register('mcp');
    const tokens = await client.tokensFor('alice');
    expect(scopesOf(tokens)).toEqual(['mcp']);
    const refreshed = await client.refresh(tokens.refreshToken, 'mcp offline_access email');
    expect(scopesOf(refreshed)).toContain('mcp');
    expect(scopesOf(refreshed)).not.toContain('email');
    const again = await client.refresh(refreshed.refreshToken);
    expect(scopesOf(again)).toContain('mcp');
  });

  it('does not get the scope of the MCP server at refresh', async () => {
    const client = await register('openid');
    const { refreshToken } = await client.tokensFor('alice');
    await expect(client.refresh(refreshToken, 'mcp')).rejects.toMatchObject({ error: 'invalid_scope' });
  });

  it('gets access tokens for an hour, which hosts that refresh five minutes early need', async () => {
    const client = await register('mcp');
    const tokens = await client.tokensFor('alice');
    expect(tokens.expiresInSeconds).toBe(3600);
    expect((await client.refresh(tokens.refreshToken)).expiresInSeconds).toBe(3600);
  });

  it('may refresh in parallel, because a rotated refresh token stays valid for ten seconds', async () => {
    const client = await register('mcp');
    const { refreshToken } = await client.tokensFor('alice');
    const parallel = await Promise.all([1, 2, 3].map(() => client.refresh(refreshToken)));
    pass(8);
    await client.refresh(refreshToken);
    for (const refreshed of parallel) {
      expect((await client.refresh(refreshed.refreshToken)).refreshToken).toMatch(/./);
    }
  });

  it('loses its grant when it uses a rotated refresh token after that time', async () => {
    const client = await register('mcp');
    const { refreshToken } = await client.tokensFor('alice');
    const first = await client.refresh(refreshToken);
    pass(8);
    const second = await client.refresh(refreshToken);
    pass(8);
    for (const token of [refreshToken, second.refreshToken, first.refreshToken]) {
      await expect(client.refresh(token)).rejects.toMatchObject({ error: 'invalid_grant' });
    }
  });
});

describe('a registration at the embedded provider', () => {
  const restart = async () => {
    const { port } = new URL(provider.issuer);
    await provider.close();
    provider = await start(Number(port));
    // The kept-alive connections of the stopped server are closed.
    const metadata = new URL('/.well-known/openid-configuration', provider.issuer);
    const statusOf = () =>
      fetch(metadata).then(
        ({ status }) => status,
        () => undefined,
      );
    await expect.poll(statusOf).toBe(200);
  };

  it('of a local client survives a restart, and its user can sign in again', async () => {
    const client = await register('mcp offline_access');
    const { refreshToken } = await client.tokensFor('alice');
    await restart();
    await expect(client.refresh(refreshToken)).rejects.toMatchObject({ error: 'invalid_grant' });
    const tokens = await client.tokensFor('alice');
    expect((await client.refresh(tokens.refreshToken)).accessToken).toMatch(/./);
  });

  const authorize = (clientId: string, redirectUri: string) => {
    const url = new URL('/auth', provider.issuer);
    url.search = new URLSearchParams({
      client_id: clientId,
      redirect_uri: redirectUri,
      response_type: 'code',
      scope: 'mcp',
      resource: MCP,
      code_challenge: 'x'.repeat(43),
      code_challenge_method: 'S256',
    }).toString();
    return url;
  };
  const post = async (metadata: object): Promise<Record<string, unknown>> => {
    const response = await fetch(new URL('/reg', provider.issuer), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata),
    });
    return (await response.json()) as Record<string, unknown>;
  };

  it('of a remote client is lost with a restart, and the page says what to remove', async () => {
    const redirectUri = 'https://app.example/callback';
    const { client_id: clientId } = await post({ redirect_uris: [redirectUri] });
    await restart();
    const page = await new StepBrowser().request(authorize(String(clientId), redirectUri));
    expect(page.status).toBe(400);
    expect(page.text).toMatch(/Remove the saved sign-in of this server/);
  });

  it('of a client with a private-use URI scheme is accepted, and is lost with a restart', async () => {
    const redirectUris = ['cursor://mcp/oauth/callback', 'http://localhost:8787/callback'];
    const { client_id: clientId } = await post({ redirect_uris: redirectUris });
    const statusOf = async (uri: string) =>
      (await new StepBrowser().request(authorize(String(clientId), uri))).status;
    for (const uri of redirectUris) expect(await statusOf(uri)).toBe(303);
    const browser = new StepBrowser();
    const away = await browser.request(authorize(String(clientId), 'cursor://mcp/oauth/callback'));
    const form = await browser.request(new URL(away.headers.location ?? '', provider.issuer));
    expect(form.headers['content-security-policy']).toContain("form-action 'self' cursor:;");
    await restart();
    expect(await statusOf('http://localhost:8787/callback')).toBe(303);
    const page = await new StepBrowser().request(authorize(String(clientId), 'cursor://mcp/oauth/callback'));
    expect(page.text).toMatch(/Remove the saved sign-in of this server/);
  });

  it('is shown to the user who signs in, with the self-reported name and the redirect target', async () => {
    const redirectUri = 'http://localhost:41234/callback';
    const registered = await post({
      redirect_uris: [redirectUri],
      client_name: 'Codex <b>',
      scope: 'mcp other',
    });
    expect(registered).toMatchObject({ token_endpoint_auth_method: 'none', client_name: 'Codex <b>' });
    const browser = new StepBrowser();
    const away = await browser.request(authorize(String(registered.client_id), redirectUri));
    const page = await browser.request(new URL(away.headers.location ?? '', provider.issuer));
    expect(page.text).toContain('Codex &lt;b&gt; (self-reported name, not verified)');
    expect(page.text).toContain('http://localhost:41234');
  });

  it('allows any port of its loopback redirect URIs, and no other URI', async () => {
    const { client_id: clientId } = await post({ redirect_uris: ['http://127.0.0.1:1/cb'] });
    const statusOf = async (uri: string) =>
      (await new StepBrowser().request(authorize(String(clientId), uri))).status;
    expect(await statusOf('http://127.0.0.1:2/cb')).toBe(303);
    for (const uri of ['http://127.0.0.1:1/other', 'https://evil.example/cb', 'http://localhost:1/cb']) {
      expect(await statusOf(uri)).toBe(400);
    }
  });
});

describe('the MCP server itself, as a client of the embedded provider', () => {
  it('has strict reuse detection', async () => {
    const oidc = await import('openid-client');
    const configuration = await oidc.discovery(
      new URL(provider.issuer),
      credentials.client.clientId,
      undefined,
      oidc.ClientSecretBasic(credentials.client.clientSecret),
      { execute: [oidc.allowInsecureRequests] },
    );
    const pkceCodeVerifier = oidc.randomPKCECodeVerifier();
    const url = oidc.buildAuthorizationUrl(configuration, {
      redirect_uri: 'http://127.0.0.1:49999/callback',
      scope: 'notes',
      resource: NOTES,
      code_challenge: await oidc.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    });
    const callback = await new StepBrowser().authorize(url, { username: 'alice', password: 'any' });
    const first = await oidc.authorizationCodeGrant(configuration, callback, { pkceCodeVerifier });
    expect(first.expires_in).toBe(120);
    const second = await oidc.refreshTokenGrant(configuration, first.refresh_token ?? '');
    for (const token of [first.refresh_token, second.refresh_token]) {
      const reused = oidc.refreshTokenGrant(configuration, token ?? '');
      await expect(reused).rejects.toMatchObject({ error: 'invalid_grant' });
    }
  });
});
