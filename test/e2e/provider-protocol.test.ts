import { generateKeyPairSync } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';
import { parseHTML } from 'linkedom';
import type { ClientMetadata } from 'oidc-provider';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadOidcProvider } from '../../packages/server/src/sample/load-oidc-provider.js';
import { createLogin } from '../../packages/server/src/sample/login.js';
import { type LoopbackServer, serveOnLoopback } from '../../packages/server/src/sample/loopback-server.js';
import { createCredentials } from '../../packages/server/src/sample/provider-clients.js';
import {
  LOGIN_PATH,
  providerConfiguration,
} from '../../packages/server/src/sample/provider-configuration.js';
import type { ProviderOptions } from '../../packages/sessions/src/index.js';
import { Provider } from '../../packages/sessions/src/provider/provider.js';
import { providerSettings } from '../../packages/sessions/src/provider/provider-settings.js';
import type { ProviderFailure } from '../../packages/sessions/src/session/provider-failures.js';
import { systemClock } from '../../packages/sessions/src/time/clock.js';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const REDIRECT_URI = new URL('http://127.0.0.1:9/callback');
const SECRET = 'a-b_c.d~e f:g%';
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const clientKey = { ...privateKey.export({ format: 'jwk' }), alg: 'ES256' };

const COMMON = {
  application_type: 'native',
  redirect_uris: ['http://127.0.0.1/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
} satisfies Partial<ClientMetadata>;
const CLIENTS: ClientMetadata[] = [
  { ...COMMON, client_id: 'confidential-client', client_secret: SECRET },
  {
    ...COMMON,
    client_id: 'post.client',
    client_secret: SECRET,
    token_endpoint_auth_method: 'client_secret_post',
  },
  { ...COMMON, client_id: 'percent-client', client_secret: 'p%20q' },
  {
    ...COMMON,
    client_id: 'pushing_client',
    client_secret: SECRET,
    require_pushed_authorization_requests: true,
  },
  {
    ...COMMON,
    client_id: 'signing-client',
    token_endpoint_auth_method: 'private_key_jwt',
    jwks: { keys: [publicKey.export({ format: 'jwk' })] },
  },
];

describe('a login at oidc-provider', () => {
  let server: LoopbackServer;

  beforeAll(async () => {
    const oidc = await loadOidcProvider();
    const unused = { client: createCredentials('unused'), resourceServer: createCredentials('api') };
    server = await serveOnLoopback(0, (issuer) => {
      const configuration = providerConfiguration(oidc, { ...unused, resource: 'urn:api' });
      const provider = new oidc.Provider(issuer, {
        ...configuration,
        clients: CLIENTS,
        issueRefreshToken: () => true,
        features: { ...configuration.features, pushedAuthorizationRequests: { enabled: true } },
      });
      const login = getRequestListener(createLogin(provider).fetch, { overrideGlobalObjects: false });
      const callback = provider.callback();
      return (request, response) =>
        request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response);
    });
  });

  afterAll(() => server.close());

  function providerOf(options: Partial<ProviderOptions> & { clientId: string }) {
    const failures: ProviderFailure[] = [];
    const settings = providerSettings({ name: 'idp', issuer: server.origin, ...options });
    const report = (failure: ProviderFailure) => void failures.push(failure);
    const forms: URLSearchParams[] = [];
    const recording: typeof fetch = (input, init) => {
      if (init?.body instanceof URLSearchParams) forms.push(new URLSearchParams(init.body));
      return fetch(input, init);
    };
    const runtime = { clock: systemClock, fetch: recording, onError: () => undefined, report };
    const provider = new Provider(settings, runtime);
    const checks = {
      state: Secret.fromString('state-1'),
      nonce: Secret.fromString('nonce-1'),
      codeVerifier: Secret.fromString('verifier-'.repeat(6)),
    };
    return { provider, checks, failures, forms };
  }

  /** Logs in and refreshes. */
  async function loggedIn(options: Partial<ProviderOptions> & { clientId: string }) {
    const { provider, checks, forms } = providerOf(options);
    const url = await provider.authorizationUrl(REDIRECT_URI, checks);
    const callback = await new StepBrowser().authorize(url, { username: 'alice' });
    const granted = await provider.exchange(callback, checks);
    const refreshToken = granted.tokens.refreshToken ?? Secret.fromString('none');
    const refreshed = await provider.refresh(refreshToken);
    const revoked = refreshed.kind === 'granted' && (await provider.revoke(refreshed.granted.tokens));
    return { url, forms, identity: granted.identity, refreshed: refreshed.kind, revoked };
  }

  const complete = { identity: { subject: 'alice' }, refreshed: 'granted', revoked: 'confirmed' };

  it.each<[string, Partial<ProviderOptions> & { clientId: string }]>([
    [
      'a name and a secret with every kind of character',
      { clientId: 'confidential-client', clientSecret: SECRET },
    ],
    [
      'the secret in the form',
      { clientId: 'post.client', clientSecret: SECRET, clientAuthentication: 'client_secret_post' },
    ],
    ['a key, for the issuer', { clientId: 'signing-client', clientKey }],
    [
      'a key, for the token endpoint',
      { clientId: 'signing-client', clientKey, clientAssertion: { audience: 'token_endpoint' } },
    ],
  ])('authenticates the client with %s', async (_what, options) => {
    expect(await loggedIn(options)).toMatchObject(complete);
  });

  it('fails if the provider decodes a header that is not encoded', async () => {
    const options = { clientId: 'percent-client', clientSecret: 'p%20q' } as const;
    expect(await loggedIn(options)).toMatchObject(complete);
    const { provider, checks, failures } = providerOf({
      ...options,
      clientAuthentication: 'client_secret_basic_raw',
    });
    const url = await provider.authorizationUrl(REDIRECT_URI, checks);
    const callback = await new StepBrowser().authorize(url, { username: 'alice' });
    await expect(provider.exchange(callback, checks)).rejects.toMatchObject({ code: 'provider_refused' });
    expect(failures).toMatchObject([
      { step: 'token', reason: 'client_rejected', oauthError: 'invalid_client' },
    ]);
  });

  it('pushes its request if the options say so, and sends the browser a reference only', async () => {
    const pushing = { clientId: 'pushing_client', clientSecret: SECRET, pushedAuthorization: true };
    const { url, ...result } = await loggedIn(pushing);
    expect(result).toMatchObject(complete);
    expect([...url.searchParams.keys()].toSorted()).toEqual(['client_id', 'request_uri']);
  });

  it('fails at the pushed request if the client is rejected there', async () => {
    const options = { clientId: 'pushing_client', clientSecret: 'wrong', pushedAuthorization: true };
    const { provider, checks, failures } = providerOf(options);
    await expect(provider.authorizationUrl(REDIRECT_URI, checks)).rejects.toMatchObject({
      code: 'provider_refused',
    });
    expect(failures).toMatchObject([
      { step: 'pushed_authorization', reason: 'client_rejected', endpoint: `${server.origin}/request` },
    ]);
  });

  it('names the resource at authorization, code exchange and refresh', async () => {
    const options = { clientId: 'confidential-client', clientSecret: SECRET, scopes: ['openid', 'notes'] };
    const { url: requested, forms, ...result } = await loggedIn({ ...options, resource: 'urn:api' });
    expect(result).toMatchObject(complete);
    const tokenRequests = forms.filter((form) => form.has('grant_type'));
    expect([requested.searchParams, ...tokenRequests].map((each) => each.getAll('resource'))).toEqual([
      ['urn:api'],
      ['urn:api'],
      ['urn:api'],
    ]);
    const { provider, checks } = providerOf({ ...options, resource: 'urn:other' });
    const url = await provider.authorizationUrl(REDIRECT_URI, checks);
    const callback = locationOf(await new StepBrowser().request(url), url);
    await expect(provider.exchange(callback, checks)).rejects.toMatchObject({
      failure: { step: 'authorization', oauthError: 'invalid_target' },
    });
  });

  it('gets its response as a form if the options say so', async () => {
    const options = {
      clientId: 'confidential-client',
      clientSecret: SECRET,
      responseMode: 'form_post',
    } as const;
    const { provider, checks } = providerOf(options);
    const browser = new StepBrowser();
    const url = await provider.authorizationUrl(REDIRECT_URI, checks);
    const loginPage = locationOf(await browser.request(url), url);
    const resume = locationOf(await browser.post(loginPage, { username: 'alice' }), loginPage);
    const { document } = parseHTML((await browser.request(resume)).text);
    expect(document.querySelector('form')?.getAttribute('action')).toBe(REDIRECT_URI.href);
    const callback = new URL(REDIRECT_URI);
    for (const input of document.querySelectorAll('input')) {
      callback.searchParams.set(input.getAttribute('name') ?? '', input.getAttribute('value') ?? '');
    }
    expect(await provider.exchange(callback, checks)).toMatchObject({ identity: { subject: 'alice' } });
  });
});
