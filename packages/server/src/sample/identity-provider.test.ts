import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as oidc from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Browser } from '../../test/browser.js';
import {
  discover,
  REDIRECT_URI,
  RESOURCE,
  type RelyingParty,
  startRelyingParty,
} from '../../test/relying-party.js';
import { startIdentityProvider } from './identity-provider.js';
import { createCredentials } from './provider-clients.js';

let party: RelyingParty;
let resourceServer: oidc.Configuration;

beforeAll(async () => {
  party = await startRelyingParty();
  resourceServer = await discover(party.provider.issuer, party.resourceServer);
});

afterAll(() => party.provider.close());

const introspect = (token: string) => oidc.tokenIntrospection(resourceServer, token);
const isActive = async (token: string) => (await oidc.tokenIntrospection(party.configuration, token)).active;

describe('a login at the embedded identity provider', () => {
  it('returns tokens and the name of the user', async () => {
    const tokens = await party.logIn('alice');
    expect(tokens.claims()).toMatchObject({ iss: party.provider.issuer, sub: 'alice', name: 'alice' });
    expect(tokens.expires_in).toBe(120);
    expect(tokens.refresh_token).toBeTypeOf('string');
    expect(await introspect(tokens.access_token)).toMatchObject({
      active: true,
      sub: 'alice',
      username: 'alice',
      aud: RESOURCE,
      scope: 'notes',
    });
  });

  it('reports every token that it issues to onTokenIssued', async () => {
    const { access_token, refresh_token } = await party.logIn('alice');
    expect(party.issuedTokens).toEqual(expect.arrayContaining([access_token, refresh_token]));
  });

  it('is required for every authorization, so that one browser can log in as two users', async () => {
    const browser = new Browser();
    const alice = await party.logIn('alice', { browser });
    const bob = await party.logIn('bob', { browser });
    expect([alice.claims()?.sub, bob.claims()?.sub]).toEqual(['alice', 'bob']);
  });

  it('has its own grant: revoking it does not affect other logins of the user', async () => {
    const browser = new Browser();
    const first = await party.logIn('alice', { browser });
    const second = await party.logIn('alice', { browser });
    await oidc.tokenRevocation(party.configuration, first.access_token);
    expect(await isActive(first.access_token)).toBe(false);
    expect(await isActive(second.access_token)).toBe(true);
  });

  it('can be cancelled', async () => {
    const browser = new Browser();
    const { url, redeem } = await party.authorize();
    const form = await browser.follow(url, REDIRECT_URI);
    const callback = await browser.submit(form, { cancel: 'yes' }, REDIRECT_URI);
    await expect(redeem(callback)).rejects.toMatchObject({ error: 'access_denied' });
  });

  it('shows an error if the name is missing, and continues with a name', async () => {
    const browser = new Browser();
    const { url, redeem } = await party.authorize();
    const form = await browser.follow(url, REDIRECT_URI);
    const answer = await browser.request(form, {
      method: 'POST',
      body: new URLSearchParams({ username: ' ' }),
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('Enter a name');
    const tokens = await redeem(await browser.submit(form, { username: 'carol' }, REDIRECT_URI));
    expect(tokens.claims()?.sub).toBe('carol');
  });

  it('cannot be continued in another browser', async () => {
    const { url } = await party.authorize();
    const form = await new Browser().follow(url, REDIRECT_URI);
    const answer = await new Browser().request(form, {
      method: 'POST',
      body: new URLSearchParams({ username: 'mallory' }),
    });
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain('ask it to log in again');
  });

  it('shows a page that runs no script, loads nothing and cannot be framed', async () => {
    const browser = new Browser();
    const { url } = await party.authorize();
    const form = await browser.follow(url, REDIRECT_URI);
    const page = await browser.request(form);
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    // Browsers apply the policy to the redirect after the form, too.
    expect(policy).toContain(`form-action 'self' ${new URL(REDIRECT_URI).origin}`);
    expect(page.headers.get('cache-control')).toBe('no-store');
    expect(await page.text()).not.toContain('<script');
  });
});

describe('the embedded identity provider refuses', () => {
  const errorOf = async (parameters: Record<string, string>) => {
    const { url } = await party.authorize(parameters);
    const callback = await new Browser().follow(url, REDIRECT_URI);
    return callback.searchParams.get('error');
  };

  it('an authorization without PKCE, or with a plain challenge', async () => {
    expect(await errorOf({ code_challenge_method: 'plain' })).toBe('invalid_request');
    const { url } = await party.authorize();
    url.searchParams.delete('code_challenge');
    url.searchParams.delete('code_challenge_method');
    const callback = await new Browser().follow(url, REDIRECT_URI);
    expect(callback.searchParams.get('error')).toBe('invalid_request');
  });

  it('an unknown resource', async () => {
    expect(await errorOf({ resource: 'urn:test:other' })).toBe('invalid_target');
  });

  it('a redirect that is not the client’s callback on this machine', async () => {
    for (const redirectUri of ['http://127.0.0.1:49999/other', 'http://192.0.2.1:49999/callback']) {
      const { url } = await party.authorize({ redirect_uri: redirectUri });
      const answer = await new Browser().request(url);
      expect(answer.status).toBe(400);
      expect(await answer.text()).toContain('redirect_uri');
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });

  it('requests with another host, or from a page of another origin', async () => {
    const { issuer } = party.provider;
    const url = `${issuer}/.well-known/openid-configuration`;
    const status = async (headers: Record<string, string>) => (await rawGet(url, headers)).status;
    expect(await status({})).toBe(200);
    expect(await status({ host: 'evil.example' })).toBe(403);
    expect(await status({ origin: 'https://evil.example' })).toBe(403);
    expect(await status({ origin: 'null' })).toBe(403);
    expect(await status({ origin: issuer })).toBe(200);
  });

  it('a port that is in use, with its number', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const credentials = createCredentials('unused');
    const options = { port, client: credentials, resourceServer: credentials, resource: RESOURCE };
    await expect(startIdentityProvider(options)).rejects.toMatchObject({ code: 'EADDRINUSE', port });
    await new Promise((resolve) => taken.close(resolve));
  });
});

describe('tokens of the embedded identity provider', () => {
  it('are refreshed with a refresh token that is accepted once', async () => {
    const first = await party.logIn('alice');
    const second = await oidc.refreshTokenGrant(party.configuration, first.refresh_token!);
    expect(second.refresh_token).not.toBe(first.refresh_token);
    expect(await introspect(second.access_token)).toMatchObject({ active: true, aud: RESOURCE });
  });

  it('are all revoked if a used refresh token is used again', async () => {
    const first = await party.logIn('alice');
    const second = await oidc.refreshTokenGrant(party.configuration, first.refresh_token!);
    await expect(oidc.refreshTokenGrant(party.configuration, first.refresh_token!)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
    expect(await isActive(second.access_token)).toBe(false);
    await expect(oidc.refreshTokenGrant(party.configuration, second.refresh_token!)).rejects.toMatchObject({
      error: 'invalid_grant',
    });
  });

  it.each(['access_token', 'refresh_token'] as const)(
    'die together when the %s is revoked',
    async (which) => {
      const tokens = await party.logIn('alice');
      expect(await isActive(tokens.access_token)).toBe(true);
      expect(await isActive(tokens.refresh_token!)).toBe(true);
      await oidc.tokenRevocation(party.configuration, tokens[which]!);
      expect(await isActive(tokens.access_token)).toBe(false);
      expect(await isActive(tokens.refresh_token!)).toBe(false);
    },
  );

  it('can be introspected by the API only if they are for it, and cannot be revoked by it', async () => {
    const meant = await party.logIn('alice');
    const notMeant = await party.logIn('alice', { resource: '' });
    expect((await introspect(notMeant.access_token)).active).toBe(false);
    expect((await introspect(meant.refresh_token!)).active).toBe(false);
    await oidc.tokenRevocation(resourceServer, meant.access_token);
    expect(await isActive(meant.access_token)).toBe(true);
  });
});

/** Sends a request whose Host and Origin, unlike those of `fetch`, can be set. */
async function rawGet(url: string, headers: Record<string, string>): Promise<{ status: number | undefined }> {
  const { get } = await import('node:http');
  return new Promise((resolve, reject) => {
    get(url, { headers }, (response) => {
      response.resume();
      resolve({ status: response.statusCode });
    }).on('error', reject);
  });
}
