import { generateKeyPairSync } from 'node:crypto';
import { getRequestListener } from '@hono/node-server';
import type { ClientMetadata } from 'oidc-provider';
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { loadOidcProvider } from '../../packages/server/src/sample/load-oidc-provider.js';
import { createLogin } from '../../packages/server/src/sample/login.js';
import { serveOnLoopback } from '../../packages/server/src/sample/loopback-server.js';
import { createCredentials, mcpServerClient } from '../../packages/server/src/sample/provider-clients.js';
import {
  LOGIN_PATH,
  providerConfiguration,
} from '../../packages/server/src/sample/provider-configuration.js';
import {
  createSessions,
  type ProviderOptions,
  type RegisterTools,
  type SessionEvent,
} from '../../packages/sessions/src/index.js';
import { Browser, type Page } from '../support/browser.js';
import { type PlainOAuthProvider, startPlainOAuthProvider } from '../support/plain-oauth-provider.js';
import {
  type ProxiedIdentityProvider,
  startProxiedIdentityProvider,
} from '../support/proxied-identity-provider.js';
import { client2026, connect2025, type RawClient, type ToolAnswer } from '../support/raw-mcp.js';
import { type RecordingApi, startRecordingApi } from '../support/recording-api.js';

const RESOURCE = 'urn:test:notes';

/** Requests a URL with the token of the account at the provider that has it among its API origins. */
const registerTools: RegisterTools = (server, context) => {
  const inputSchema = z.object({ url: z.string() });
  const call = async ({ url }: { url: string }) => {
    const response = await context.session().fetch(url);
    const text = `${response.status} ${await response.text()}`;
    return { content: [{ type: 'text' as const, text }] };
  };
  const description = 'Calls an address.';
  server.registerTool('call', { description, inputSchema }, call);
  server.registerTool('call_logged_in', { description, inputSchema }, context.requireLogin(call));
};

const clients = {
  '2025': (mcp: string): Promise<RawClient> => connect2025(mcp),
  '2026': async (mcp: string): Promise<RawClient> => client2026(mcp),
};
const eras = ['2025', '2026'] as const;

/** Completes the browser part of a login. */
async function browse(client: RawClient, provider: string, username: string): Promise<Page> {
  const { structured, text } = await client.call('login', { provider });
  if (typeof structured.loginUrl !== 'string') throw new Error(`No link: ${text}`);
  return new Browser().logIn(structured.loginUrl, username);
}

async function logInAt(client: RawClient, provider: string, username: string): Promise<ToolAnswer> {
  await browse(client, provider, username);
  return client.call('login', { provider });
}

async function accountsOf(client: RawClient) {
  const { accounts, state, next } = (await client.call('session_status')).structured;
  return { accounts, state, next: String(next) };
}

describe('two providers, one of them without discovery', () => {
  let sample: ProxiedIdentityProvider;
  let git: PlainOAuthProvider;
  let notes: RecordingApi;
  let common: RecordingApi;
  let close: () => Promise<void>;
  let mcp: string;
  const events: SessionEvent[] = [];

  beforeAll(async () => {
    const client = createCredentials('mcp-sessions');
    const resourceServer = createCredentials('notes-api');
    [sample, git, notes, common] = await Promise.all([
      startProxiedIdentityProvider({ client, resourceServer, resource: RESOURCE }),
      startPlainOAuthProvider(),
      startRecordingApi(),
      startRecordingApi(),
    ]);
    const sessions = createSessions({
      server: { name: 'two', version: '1.0.0' },
      tools: registerTools,
      providers: [
        {
          name: 'sample',
          issuer: sample.issuer,
          ...client,
          scopes: ['openid', 'profile', 'notes'],
          authorizationParams: { resource: RESOURCE },
          apiOrigins: [notes.origin],
        },
        {
          name: 'git',
          // The issuer is only a name: the test sends no request to it.
          issuer: 'https://git.example',
          endpoints: git.endpoints,
          pkce: 'S256',
          clientId: git.clientId,
          clientSecret: git.clientSecret,
          clientAuthentication: 'client_secret_post',
          scopes: ['repo', 'read:user'],
          authorizationParams: { allow_signup: 'false' },
          identityFields: { subject: 'id', name: 'login' },
          apiOrigins: [git.api],
        },
      ],
      lifetimes: { shutdownDrainMs: 1000 },
    });
    sessions.onEvent((event) => events.push(event));
    ({ url: mcp } = await sessions.listen({ port: 0 }));
    close = async () => {
      await sessions.close();
      await Promise.all([sample.close(), git.close(), notes.close(), common.close()]);
    };
  });
  afterAll(() => close());
  afterEach(() => {
    git.expiresInSeconds = undefined;
    git.shown.length = 0;
    notes.requests.length = 0;
    common.requests.length = 0;
  });

  const callGit = (client: RawClient) => client.call('call', { url: `${git.api}/repos` });
  const callNotes = (client: RawClient) => client.call('call', { url: `${notes.origin}/notes` });
  const bearers = (api: RecordingApi) => api.requests.map(({ headers }) => headers.authorization);

  describe.each(eras)('in a %s session', (era) => {
    const connect = () => clients[era](mcp);

    it('logs in at a provider without ID token and discovery', async () => {
      const client = await connect();
      const { structured } = await logInAt(client, 'git', 'octocat');
      expect(structured).toMatchObject({
        status: 'authenticated',
        account: { provider: 'git', subject: expect.stringMatching(/^1\d{3}$/), name: 'octocat' },
      });
      const { form, answer } = git.tokenRequests.at(-1) ?? {};
      expect(form?.get('client_secret')).toBe(git.clientSecret);
      expect(answer?.get('scope')).toBe('repo,read:user');
      expect(git.authorizations.at(-1)?.get('allow_signup')).toBe('false');
      expect(git.authorizations.at(-1)?.get('scope')).toBe('repo read:user');
      expect((await callGit(client)).text).toMatch(/^200 \{"login":"octocat"/);

      const { accounts, state } = await accountsOf(client);
      expect(state).toBe('authenticated');
      expect(accounts).toEqual([
        {
          provider: 'git',
          state: 'authenticated',
          subject: expect.stringMatching(/^1\d{3}$/),
          name: 'octocat',
          scopes: ['repo', 'read:user'],
        },
      ]);
    });

    it('has accounts of both, each with its own state, under one handle [security 7]', async () => {
      const client = await connect();
      await logInAt(client, 'sample', 'alice');
      const { secret } = client;
      await logInAt(client, 'git', 'octocat');
      expect(client.secret).toBe(secret);
      const { accounts, next } = await accountsOf(client);
      expect(accounts).toMatchObject([
        {
          provider: 'sample',
          state: 'authenticated',
          name: 'alice',
          // Beside the ID token, the answer lists the scopes of one resource only.
          scopes: ['notes', 'openid', 'profile'],
          nextRefreshInSeconds: expect.any(Number),
        },
        { provider: 'git', state: 'authenticated', name: 'octocat', scopes: ['repo', 'read:user'] },
      ]);
      expect(next).not.toContain('Not logged in');
      expect((await callGit(client)).text).toMatch(/^200/);
      expect((await callNotes(client)).text).toMatch(/^200/);
    });

    it.each([
      ['git', 'sample', 'alice'],
      ['sample', 'git', 'octocat'],
    ])(
      'names "%s" to a call that requires it while the user is logged in at "%s" only',
      async (missing, present, user) => {
        const client = await connect();
        await logInAt(client, present, user);
        git.shown.length = 0;
        const refused = await (missing === 'git' ? callGit(client) : callNotes(client));
        expect(refused.isError).toBe(true);
        expect(refused.text).toContain(`Call the \`login\` tool with provider "${missing}"`);
        expect((await accountsOf(client)).next).toContain(`Not logged in at "${missing}": call \`login\``);
        expect([...git.shown, ...notes.requests]).toEqual([]);
      },
    );

    it('does not send the token of one provider to APIs of the other [security 47]', async () => {
      const client = await connect();
      await logInAt(client, 'sample', 'alice');
      await logInAt(client, 'git', 'octocat');
      git.shown.length = 0;
      const others = [common.origin, new URL(git.endpoints.token).origin];
      for (const tool of ['call', 'call_logged_in']) {
        for (const url of others) {
          const refused = await client.call(tool, { url });
          expect(refused.isError).toBe(true);
          expect(refused.text).toContain('not among the `apiOrigins` of a provider');
        }
      }
      expect([...git.shown, ...notes.requests, ...common.requests]).toEqual([]);
      // The handler requires a login at `sample`, and the token of `git` goes to the API of `git` all the same.
      await client.call('call_logged_in', { url: `${git.api}/repos` });
      await client.call('call_logged_in', { url: `${notes.origin}/notes` });
      await callGit(client);
      await callNotes(client);
      const [gitToken = ''] = git.shown;
      expect(gitToken).toMatch(/^gho_/);
      expect(git.shown).toEqual([gitToken, gitToken]);
      expect(bearers(notes)).toEqual([expect.stringMatching(/^Bearer /), expect.stringMatching(/^Bearer /)]);
      expect(bearers(notes)).not.toContain(`Bearer ${gitToken}`);
    });

    it('keeps one account when the user logs out of the other [security 34]', async () => {
      const client = await connect();
      await logInAt(client, 'sample', 'alice');
      await logInAt(client, 'git', 'octocat');
      expect((await client.call('logout', { provider: 'git' })).structured).toMatchObject({
        accounts: [{ provider: 'git', revocation: 'unsupported' }],
      });
      expect((await callGit(client)).text).toContain('provider "git"');
      expect((await callNotes(client)).text).toMatch(/^200/);
      expect((await accountsOf(client)).accounts).toMatchObject([{ provider: 'sample' }]);

      await logInAt(client, 'git', 'octocat');
      expect((await client.call('logout', { provider: 'sample' })).structured).toMatchObject({
        accounts: [{ provider: 'sample', revocation: 'confirmed' }],
      });
      expect((await callNotes(client)).text).toContain('provider "sample"');
      expect((await callGit(client)).text).toMatch(/^200/);
    });

    it('uses a token without expiry until the API refuses it, and keeps the other account [security 18]', async () => {
      const client = await connect();
      await logInAt(client, 'sample', 'alice');
      await logInAt(client, 'git', `revoked-${era}`);
      git.revoke(`revoked-${era}`);
      const refused = await callGit(client);
      expect(refused.isError).toBe(true);
      expect(refused.text).toContain('Call the `login` tool with provider "git"');
      const { accounts, state, next } = await accountsOf(client);
      expect(state).toBe('reauthentication_required');
      expect(accounts).toMatchObject([
        { provider: 'sample', state: 'authenticated' },
        { provider: 'git', state: 'reauthentication_required', reason: 'no_refresh_token' },
      ]);
      expect(next).toContain('provider "git"');
      expect((await callNotes(client)).text).toMatch(/^200/);
      expect((await logInAt(client, 'git', 'octocat')).structured).toMatchObject({ status: 'authenticated' });
      expect((await callGit(client)).text).toMatch(/^200/);
    });

    it('refreshes with form-encoded responses, and treats an error with status 200 as an error [security 21]', async () => {
      git.expiresInSeconds = 2;
      const client = await connect();
      const told = events.length;
      await logInAt(client, 'git', `app-${era}`);
      const since = () => events.slice(told);
      await expect.poll(since).toContainEqual(expect.objectContaining(REFRESHED));
      expect((await callGit(client)).text).toMatch(/^200/);
      const refreshed = git.tokenRequests.find(
        ({ form, answer }) => form.has('refresh_token') && answer.has('access_token'),
      );
      expect(refreshed?.form.get('client_secret')).toBe(git.clientSecret);
      git.revoke(`app-${era}`);
      await expect.poll(since).toContainEqual(
        expect.objectContaining({
          type: 'account.reauthentication_required',
          failureReason: 'grant_revoked',
        }),
      );
      expect(git.tokenRequests.at(-1)?.answer.get('error')).toBe('bad_refresh_token');
      expect((await callGit(client)).text).toContain('provider "git"');
    });

    it('reports a login that the provider refuses with status 200, and can start another one', async () => {
      const client = await connect();
      git.failNext('bad_verification_code');
      const page = await browse(client, 'git', 'octocat');
      expect(page.text).not.toContain('Logged in as');
      const failed = await client.call('login', { provider: 'git' });
      expect(failed.isError).toBe(true);
      expect(failed.text).toContain('rejected the login');
      expect((await logInAt(client, 'git', 'octocat')).structured).toMatchObject({ status: 'authenticated' });
    });

    it('names the providers when the call names an unknown one', async () => {
      const client = await connect();
      const refused = await client.call('login', { provider: 'nowhere' });
      expect(refused.isError).toBe(true);
      expect(refused.text).toContain('sample, git');
    });
  });
});

const REFRESHED = { type: 'account.refreshed' } as const;

describe('client authentication', () => {
  /** A request to the provider. */
  interface Sent {
    readonly path: string;
    readonly headers: Headers;
    readonly form: URLSearchParams;
    readonly status: number;
  }

  /** The provider of the sample with a registered client, and a server with its credentials. */
  async function startWith(registration: Partial<ClientMetadata>, credentials: Partial<ProviderOptions>) {
    const oidc = await loadOidcProvider();
    const client = createCredentials('mcp-sessions');
    const resourceServer = createCredentials('notes-api');
    const issued: string[] = [];
    let provider: InstanceType<typeof oidc.Provider> | undefined;
    const served = await serveOnLoopback(0, (issuer) => {
      const configuration = providerConfiguration(oidc, {
        client,
        resourceServer,
        resource: RESOURCE,
        accessTokenSeconds: 4,
      });
      const { client_secret: _none, ...metadata } = mcpServerClient(client);
      const created = new oidc.Provider(issuer, {
        ...configuration,
        clients: [{ ...metadata, ...registration }],
      });
      created.on('access_token.saved', ({ jti }) => issued.push(jti));
      created.on('refresh_token.saved', ({ jti }) => issued.push(jti));
      provider = created;
      const login = getRequestListener(createLogin(created).fetch, { overrideGlobalObjects: false });
      const callback = created.callback();
      return (request, response) =>
        request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response);
    });
    onTestFinished(() => served.close());

    const sent: Sent[] = [];
    const observed: typeof fetch = async (input, init) => {
      const response = await fetch(input, init);
      const { pathname: path } = new URL(String(input));
      if (init?.body instanceof URLSearchParams) {
        sent.push({ path, headers: new Headers(init.headers), form: init.body, status: response.status });
      }
      return response;
    };
    const sessions = createSessions({
      server: { name: 'test', version: '1.0.0' },
      tools: registerTools,
      providers: {
        name: 'sample',
        issuer: served.origin,
        clientId: client.clientId,
        scopes: ['openid', 'profile', 'notes'],
        authorizationParams: { resource: RESOURCE },
        ...credentials,
      },
      lifetimes: { shutdownDrainMs: 1000 },
      runtime: { fetch: observed },
    });
    onTestFinished(() => sessions.close());
    const events: SessionEvent[] = [];
    sessions.onEvent((event) => events.push(event));
    const { url: mcp } = await sessions.listen({ port: 0 });
    /** The issued tokens that are still valid. */
    const living = async () => {
      const found = await Promise.all(
        issued.flatMap((token) => [provider?.AccessToken.find(token), provider?.RefreshToken.find(token)]),
      );
      return found.filter((token) => token?.isValid);
    };
    return { mcp, issuer: served.origin, sent, events, living };
  }

  const secret = createCredentials('').clientSecret;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { kid: 'key-1', alg: 'ES256' };
  const clientKey = { ...privateKey.export({ format: 'jwk' }), ...jwk };
  const publicJwk = { ...publicKey.export({ format: 'jwk' }), ...jwk, kty: 'EC', use: 'sig' };

  interface Row {
    readonly method: string;
    readonly registration: Partial<ClientMetadata>;
    readonly credentials: Partial<ProviderOptions>;
    readonly shows: (sent: Sent, issuer: string) => void;
  }

  const rows: Row[] = [
    {
      method: 'client_secret_basic',
      registration: { client_secret: secret },
      credentials: { clientSecret: secret },
      shows: ({ headers, form }) => {
        // The credentials are form-encoded first (RFC 6749 section 2.3.1).
        const basic = decodeURIComponent(atob(headers.get('authorization')?.replace('Basic ', '') ?? ''));
        expect(basic).toBe(`mcp-sessions:${secret}`);
        expect(form.has('client_secret')).toBe(false);
      },
    },
    {
      method: 'client_secret_post',
      registration: { client_secret: secret, token_endpoint_auth_method: 'client_secret_post' },
      credentials: { clientSecret: secret, clientAuthentication: 'client_secret_post' },
      shows: ({ headers, form }) => {
        expect(headers.has('authorization')).toBe(false);
        expect(form.get('client_secret')).toBe(secret);
      },
    },
    {
      method: 'private_key_jwt',
      registration: {
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'ES256',
        jwks: { keys: [publicJwk] },
      },
      credentials: { clientKey },
      shows: ({ headers, form }, issuer) => {
        expect(headers.has('authorization')).toBe(false);
        const [header = '', payload = ''] = form.get('client_assertion')?.split('.') ?? [];
        const decoded = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
        expect(decoded(header)).toMatchObject({ alg: 'ES256', kid: 'key-1' });
        expect(decoded(payload)).toMatchObject({ iss: 'mcp-sessions', sub: 'mcp-sessions', aud: issuer });
        expect(form.has('client_secret')).toBe(false);
      },
    },
    {
      method: 'none',
      registration: { token_endpoint_auth_method: 'none' },
      credentials: {},
      shows: ({ headers, form }) => {
        expect(headers.has('authorization')).toBe(false);
        expect(form.get('client_id')).toBe('mcp-sessions');
        expect([form.has('client_secret'), form.has('client_assertion')]).toEqual([false, false]);
      },
    },
  ];

  it.each(rows)(
    'logs in, refreshes and revokes with $method',
    async ({ registration, credentials, shows }) => {
      const { mcp, issuer, sent, events, living } = await startWith(registration, credentials);
      const client = await connect2025(mcp);
      expect((await logInAt(client, 'sample', 'alice')).structured).toMatchObject({
        account: { subject: 'alice' },
      });
      await expect.poll(() => events).toContainEqual(expect.objectContaining(REFRESHED));
      expect(await living()).not.toEqual([]);
      expect((await client.call('logout')).structured).toMatchObject({
        accounts: [{ revocation: 'confirmed' }],
      });
      expect(await living()).toEqual([]);

      const grants = sent.map(({ form }) => form.get('grant_type') ?? form.get('token_type_hint'));
      expect(new Set(grants)).toEqual(new Set(['authorization_code', 'refresh_token', 'access_token']));
      expect(sent.filter(({ path }) => path === '/token/revocation')).toHaveLength(2);
      for (const each of sent) {
        expect(each.status).toBe(200);
        shows(each, issuer);
      }
    },
  );

  it('that is wrong is refused, and the server reports it at once', async () => {
    const { mcp } = await startWith({ client_secret: secret }, { clientSecret: 'another' });
    const client = await connect2025(mcp);
    await browse(client, 'sample', 'alice');
    const failed = await client.call('login', { provider: 'sample' });
    expect(failed.isError).toBe(true);
    expect(failed.text).toContain('rejected the login');
  });
});
