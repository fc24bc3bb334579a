import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import {
  createSessions,
  type ProviderOptions,
  type SessionEvent,
} from '../../packages/sessions/src/index.js';
import { type PlainOAuthProvider, startPlainOAuthProvider } from '../support/plain-oauth-provider.js';
import { connect2025, type RawClient, startLogin } from '../support/raw-mcp.js';
import { type SecuredNotes, startSecuredNotes } from '../support/secured-notes.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

/** A provider that redirects browsers to another one, and collects the codes of that one. */
interface HostileProvider {
  readonly options: ProviderOptions;
  readonly tokenRequests: URLSearchParams[];
  /** Turns an authorization request into one for the attacked provider. */
  forward: (asked: URLSearchParams) => URL;
  close(): Promise<void>;
}

async function startHostileProvider(): Promise<HostileProvider> {
  const tokenRequests: URLSearchParams[] = [];
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    if (url.pathname === '/authorize') {
      response.writeHead(302, { location: hostile.forward(url.searchParams).href }).end();
      return;
    }
    tokenRequests.push(new URLSearchParams(await text(request)));
    response.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // The address of a listening TCP server is an AddressInfo.
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hostile: HostileProvider = {
    options: {
      name: 'hostile',
      issuer: 'https://hostile.example',
      endpoints: {
        authorization: `${origin}/authorize`,
        token: `${origin}/token`,
        userInfo: `${origin}/user`,
      },
      pkce: 'S256',
      clientId: 'at-hostile',
      scopes: [],
    },
    tokenRequests,
    forward: (asked) => new URL(asked.get('redirect_uri') ?? ''),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return hostile;
}

let hostile: HostileProvider;
let honest: PlainOAuthProvider;
beforeAll(async () => {
  [hostile, honest] = await Promise.all([startHostileProvider(), startPlainOAuthProvider()]);
});
afterAll(() => Promise.all([hostile.close(), honest.close()]));

/** The honest provider, which sends no `iss` with its codes. */
const honestOptions = (): ProviderOptions => ({
  name: 'honest',
  issuer: 'https://honest.example',
  endpoints: honest.endpoints,
  pkce: 'S256',
  clientId: honest.clientId,
  clientSecret: honest.clientSecret,
  clientAuthentication: 'client_secret_post',
  scopes: ['repo'],
  identityFields: { subject: 'id', name: 'login' },
  apiOrigins: [honest.api],
});

/** Starts a login at a provider and consents. @returns the authorization URL */
async function consentAt(client: RawClient, browser: StepBrowser, provider: string): Promise<URL> {
  return browser.consent(await startLogin(client, { provider }));
}

describe.each(['honest', 'hostile'])(
  'a hostile provider beside an honest one, with the %s one as the default',
  (first) => {
    let mcp: string;
    let close: () => Promise<void>;
    const events: SessionEvent[] = [];
    beforeAll(async () => {
      const both = [honestOptions(), hostile.options];
      const [a, b] = first === 'honest' ? both : both.reverse();
      if (!a || !b) throw new Error('There are two.');
      const sessions = createSessions({
        server: { name: 'two', version: '1.0.0' },
        tools: () => undefined,
        providers: [a, b],
        lifetimes: { shutdownDrainMs: 0 },
      });
      sessions.onEvent((event) => events.push(event));
      ({ url: mcp } = await sessions.listen({ port: 0 }));
      close = () => sessions.close();
    });
    afterAll(() => close());

    it('gets neither code nor verifier of the honest one, which sends no `iss` [security 12]', async () => {
      const client = await connect2025(mcp);
      // The honest provider accepts one redirect URI of this server.
      const registered = (await consentAt(client, new StepBrowser(), 'honest')).searchParams;
      hostile.forward = (asked) => {
        const url = new URL(honest.endpoints.authorization);
        url.search = registered.toString();
        for (const name of ['state', 'code_challenge']) url.searchParams.set(name, asked.get(name) ?? '');
        return url;
      };
      const victim = await connect2025(mcp);
      const browser = new StepBrowser();
      const toHostile = await consentAt(victim, browser, 'hostile');
      const toHonest = locationOf(await browser.request(toHostile), toHostile);
      expect(toHonest.origin).toBe(new URL(honest.endpoints.authorization).origin);
      const callback = locationOf(await browser.post(toHonest, { username: 'octocat' }), toHonest);
      expect(callback.searchParams.get('code')).toMatch(/./);

      const answer = await browser.request(callback);
      expect(hostile.tokenRequests).toEqual([]);
      expect(locationOf(answer, callback).pathname).toBe('/login/failed/provider_refused');
      expect(events).toContainEqual(
        expect.objectContaining({ type: 'login.failed', provider: 'hostile', failure: 'provider_refused' }),
      );
    });

    it.each(['honest', 'hostile'])('leaves the redirect URI of "%s" as documented', async (provider) => {
      const url = await consentAt(await connect2025(mcp), new StepBrowser(), provider);
      const path = provider === first ? '/callback' : `/login/callback/${provider}`;
      expect(url.searchParams.get('redirect_uri')).toBe(new URL(path, mcp).href);
    });
  },
);

describe('a provider that attacks the authorization server of bearer access', () => {
  let notes: SecuredNotes;
  beforeAll(async () => {
    notes = await startSecuredNotes('sign-in');
  });
  afterAll(() => notes.close());

  it('gets no code of it, because sign-ins have another redirect URI than logins [security 12]', async () => {
    const client = await connect2025(notes.mcp, await notes.wayOf('alice'));
    const browser = notes.browser();
    const link = await startLogin(client);
    const toSignIn = await browser.consent(link);
    const signedIn = await browser.authorize(toSignIn, { username: 'alice', password: 'any' });
    expect(signedIn.pathname).toBe('/login/sign-in');
    const toUpstream = locationOf(await browser.request(signedIn), signedIn);
    expect(toUpstream.origin).toBe(notes.upstream.issuer);
    expect(toUpstream.searchParams.get('redirect_uri')).toBe(`${notes.origin}/callback`);
    const code = new URL(signedIn);
    // The response of the authorization server to a request that the provider has forwarded.
    code.searchParams.set('state', toUpstream.searchParams.get('state') ?? '');
    code.searchParams.delete('iss');
    const exchanges = notes.upstream.exchanges.length;
    const answer = await browser.request(code);
    expect(locationOf(answer, code).pathname).toBe('/login/failed/provider_refused');
    expect(notes.upstream.exchanges).toHaveLength(exchanges);
  });
});

describe('the redirect URI of a provider that is not the default', () => {
  it.each(['git hub', 'a/b', '100%', 'é?#', 'https://id.example:8443/x', '...'])(
    'contains its name, such as "%s", and accepts only its own responses',
    async (name) => {
      const sessions = createSessions({
        server: { name: 'two', version: '1.0.0' },
        tools: () => undefined,
        providers: [honestOptions(), { ...hostile.options, name }],
        lifetimes: { shutdownDrainMs: 0 },
      });
      onTestFinished(() => sessions.close());
      const { url: mcp } = await sessions.listen({ port: 0 });
      const browser = new StepBrowser();
      const asked = (await consentAt(await connect2025(mcp), browser, name)).searchParams;
      const redirectUri = new URL(asked.get('redirect_uri') ?? '');
      expect(redirectUri.pathname).toBe(`/login/callback/${encodeURIComponent(name)}`);
      redirectUri.search = new URLSearchParams({
        error: 'access_denied',
        state: asked.get('state') ?? '',
      }).toString();
      const answer = await browser.request(redirectUri);
      expect(locationOf(answer, redirectUri).pathname).toBe('/login/failed/declined/authorization_denied');
    },
  );
});
