import { getEventListeners } from 'node:events';
import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createSessions, type ProviderOptions, type Sessions, type SessionsOptions } from '../index.js';
import {
  connectClient,
  FaultingProvider,
  type FaultingProviderOptions,
  logIn,
  VirtualClock,
} from './index.js';

const CLIENT_INFO = { name: 'test', version: '1.0.0' };
const answerSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

type Call = (name: string, args?: Record<string, unknown>) => Promise<z.output<typeof answerSchema>>;

async function connect(sessions: Sessions, options: sdk2.ClientOptions = {}): Promise<Call> {
  const client = new sdk2.Client(CLIENT_INFO, options);
  await connectClient(sessions, { client, Transport: sdk2.StreamableHTTPClientTransport });
  onTestFinished(() => client.close());
  let handle: unknown;
  return async (name, args = {}) => {
    const named = { ...(typeof handle === 'string' && { session: handle }), ...args };
    const answer = answerSchema.parse(await client.callTool({ name, arguments: named }));
    handle = answer.structuredContent.session ?? handle;
    return answer;
  };
}

const text = async (answer: ReturnType<Call>) => (await answer).content[0]?.text;

function start(
  providers: ProviderOptions | readonly ProviderOptions[],
  runtime: SessionsOptions['runtime'],
): Sessions {
  const sessions = createSessions({
    server: CLIENT_INFO,
    publicUrl: 'http://127.0.0.1:3000',
    providers,
    lifetimes: { shutdownDrainMs: 0 },
    runtime,
    tools: (server, context) => {
      const inputSchema = z.strictObject({ url: z.string().default('https://api.test/me') });
      server.registerTool('who', { description: 'Names the user', inputSchema }, async ({ url }) => {
        const response = await context.session().fetch(url);
        return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
      });
    },
  });
  onTestFinished(() => sessions.close());
  return sessions;
}

const api: NonNullable<FaultingProviderOptions['api']> = (_request, user) =>
  new Response(user, { status: user === undefined ? 401 : 200 });

function startWithOne(clock?: VirtualClock, options: FaultingProviderOptions = {}) {
  const provider = new FaultingProvider({ api, ...options });
  const sessions = start(provider.options, { fetch: provider.fetch, ...(clock && { clock }) });
  return { provider, sessions };
}

async function logInAs(user: string, sessions: Sessions, provider: FaultingProvider) {
  const call = await connect(sessions);
  const { loginUrl } = (await call('login')).structuredContent;
  const { code } = await logIn(sessions, loginUrl, { provider, user });
  return { call, finished: await call('login', { code }) };
}

describe('a server under test, without a network', () => {
  it('logs clients in as their own users', async () => {
    const { sessions, provider } = startWithOne();
    const alice = await logInAs('alice', sessions, provider);
    const bob = await logInAs('bob', sessions, provider);
    expect(alice.finished.structuredContent).toMatchObject({ account: { subject: 'alice' } });
    expect(await text(alice.call('who'))).toBe('200 alice');
    expect(await text(bob.call('who'))).toBe('200 bob');
    await alice.call('logout');
    expect(provider.livingUsers()).toEqual(['bob']);
  });

  it('refreshes tokens by its virtual clock, and retries after a failure', async () => {
    const clock = new VirtualClock();
    const { sessions, provider } = startWithOne(clock);
    const { call } = await logInAs('alice', sessions, provider);
    provider.failNext('token', { status: 503 });
    await clock.advance(601_000);
    expect(await text(call('who'))).toBe('200 alice');
    expect(provider.requests.token).toBeGreaterThanOrEqual(3);
    expect(provider.reuses).toBe(0);
  });

  it('requires a new login when a provider treats the retry of a lost refresh as theft [security 20]', async () => {
    const clock = new VirtualClock();
    const { sessions, provider } = startWithOne(clock);
    const { call } = await logInAs('alice', sessions, provider);
    provider.failNext('token', 'lost');
    await clock.advance(601_000);
    expect(await text(call('who'))).toContain('Call the `login` tool');
    expect(provider.reuses).toBe(1);
    expect((await call('session_status')).structuredContent).toMatchObject({
      state: 'reauthentication_required',
    });
  });

  it('starts no login at a provider that refuses connections', async () => {
    const { sessions, provider } = startWithOne();
    provider.failNext('discovery', 'refused');
    const call = await connect(sessions);
    expect(await call('login')).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/cannot be reached/) }],
    });
  });

  it('applies a lasting fault until the provider is mended', async () => {
    const clock = new VirtualClock();
    const { sessions, provider } = startWithOne(clock);
    const call = await connect(sessions);
    provider.failUntilMended('discovery', { status: 503, headers: { 'content-type': 'text/html' } });
    for (let tries = 1; tries <= 2; tries++) {
      expect(await text(call('login'))).toMatch(/cannot be used now.*Try again in a minute/);
      // One to each address of the metadata.
      expect(provider.requests.discovery).toBe(2 * tries);
      await clock.advance(2000);
    }
    provider.mend();
    expect((await call('login')).structuredContent).toMatchObject({ status: 'pending' });
  });

  it('requires a new login when the user ends the grant at the provider', async () => {
    const { sessions, provider } = startWithOne();
    const alice = await logInAs('alice', sessions, provider);
    const bob = await logInAs('bob', sessions, provider);
    provider.endGrant('alice');
    expect(await text(alice.call('who'))).toContain('Call the `login` tool');
    expect(await text(bob.call('who'))).toBe('200 bob');
    expect(() => provider.endGrant('carol')).toThrow('The user "carol" has no active grant.');
  });
});

describe('logIn', () => {
  it('reports the page of a failed login', async () => {
    const { sessions, provider } = startWithOne();
    const call = await connect(sessions);
    const { loginUrl } = (await call('login')).structuredContent;
    provider.failNext('token', { status: 400, body: '{"error":"invalid_grant"}' });
    await expect(logIn(sessions, loginUrl, { provider, user: 'alice' })).rejects.toThrow(
      /^Login of "alice" failed. The last page .status 200. says: test .*The provider did not accept the code or token of this login\./,
    );
  });

  it('reports a login URL that is missing', async () => {
    const { sessions, provider } = startWithOne();
    await expect(logIn(sessions, undefined, { provider, user: 'alice' })).rejects.toThrow(
      'undefined is not a URL. Pass the `loginUrl` that `login` returned.',
    );
  });

  it('reports that the server sends the browser to another provider', async () => {
    const { sessions } = startWithOne();
    const { loginUrl } = (await (await connect(sessions))('login')).structuredContent;
    const provider = new FaultingProvider({ issuer: 'https://other.test' });
    await expect(logIn(sessions, loginUrl, { provider, user: 'alice' })).rejects.toThrow(
      'https://provider.test/authorize is not the authorization endpoint of https://other.test.',
    );
  });

  it('reports that the server does not respond', async () => {
    const { sessions, provider } = startWithOne(new VirtualClock());
    const { loginUrl } = (await (await connect(sessions))('login')).structuredContent;
    provider.failNext('token', () => new Promise(() => undefined));
    await expect(logIn(sessions, loginUrl, { provider, user: 'alice', timeoutMs: 1 })).rejects.toThrow(
      'the server did not respond within 1 ms',
    );
  });

  it('fails when the virtual clock passes the deadline of a request to the provider', async () => {
    const clock = new VirtualClock();
    const { sessions, provider } = startWithOne(clock);
    const call = await connect(sessions);
    provider.failNext('token', () => new Promise(() => undefined));
    const { loginUrl } = (await call('login')).structuredContent;
    const browsing = logIn(sessions, loginUrl, { provider, user: 'alice' });
    const failed = expect(browsing).rejects.toThrow('Login of "alice" failed');
    await expect.poll(() => provider.requests.token).toBe(1);
    await clock.advance(10_000);
    await failed;
    expect(await text(call('login'))).toContain('Reason: the provider did not respond in time.');
  });
});

describe('two providers in one test', () => {
  const google: ProviderOptions = {
    name: 'google',
    issuer: 'https://accounts.google.com',
    clientId: 'google-client',
    clientSecret: 'secret',
    authorizationParams: { access_type: 'offline', prompt: 'consent' },
    apiOrigins: ['https://www.googleapis.com'],
  };
  const endpoints = {
    authorization: 'https://github.com/login/oauth/authorize',
    token: 'https://github.com/login/oauth/access_token',
    userInfo: 'https://api.github.com/user',
  };
  const github: ProviderOptions = {
    name: 'github',
    issuer: 'https://github.com',
    endpoints,
    pkce: 'S256',
    clientId: 'github-client',
    clientSecret: 'secret',
    clientAuthentication: 'client_secret_post',
    scopes: ['repo'],
    identityFields: { subject: 'id', name: 'login' },
    apiOrigins: ['https://api.github.com'],
  };

  it('plays the configurations of Google and GitHub, with ID tokens and without', async () => {
    const googleProvider = new FaultingProvider({
      issuer: google.issuer,
      idTokens: true,
      identity: (user) => ({ sub: `google-${user}`, name: user }),
      apiOrigins: ['https://www.googleapis.com'],
      api: (_request, user) => new Response(`google ${user}`),
    });
    const githubProvider = new FaultingProvider({
      issuer: github.issuer,
      endpoints,
      identity: (user) => ({ id: 7, login: user }),
      apiOrigins: ['https://api.github.com'],
      api: (_request, user) => new Response(`github ${user}`),
      fetch: googleProvider.fetch,
    });
    const sessions = start([google, github], { fetch: githubProvider.fetch });
    const call = await connect(sessions);
    const logInAt = async (name: string, provider: FaultingProvider, user: string) => {
      const { loginUrl } = (await call('login', { provider: name })).structuredContent;
      const { code } = await logIn(sessions, loginUrl, { provider, user });
      return (await call('login', { provider: name, code })).structuredContent;
    };
    expect(await logInAt('google', googleProvider, 'alice')).toMatchObject({
      account: { provider: 'google', subject: 'google-alice', name: 'alice' },
    });
    expect(await logInAt('github', githubProvider, 'octocat')).toMatchObject({
      account: { provider: 'github', subject: '7', name: 'octocat' },
    });
    expect(googleProvider.requests.userinfo).toBe(0);
    expect(githubProvider.requests).toMatchObject({ discovery: 0, userinfo: 1 });
    const calendar = { url: 'https://www.googleapis.com/calendar' };
    expect(await text(call('who', calendar))).toBe('200 google alice');
    const repositories = { url: 'https://api.github.com/repos' };
    expect(await text(call('who', repositories))).toBe('200 github octocat');
  });

  it('refuses connections to origins that no provider has', async () => {
    const provider = new FaultingProvider();
    await expect(provider.fetch('https://other.test')).rejects.toMatchObject({
      message: 'fetch failed',
      cause: { code: 'ECONNREFUSED' },
    });
  });
});

describe('connectClient', () => {
  it.each<[string, sdk2.ClientOptions, string]>([
    ['2025', { supportedProtocolVersions: ['2025-11-25'] }, '2025-11-25'],
    ['2026', { versionNegotiation: { mode: { pin: '2026-07-28' } } }, '2026-07-28'],
  ])('connects a client of the %s era, whose call and close work', async (_era, options, version) => {
    const { sessions, provider } = startWithOne();
    const client = new sdk2.Client(CLIENT_INFO, options);
    await connectClient(sessions, { client, Transport: sdk2.StreamableHTTPClientTransport });
    expect(client.getNegotiatedProtocolVersion()).toBe(version);
    const { structuredContent } = answerSchema.parse(await client.callTool({ name: 'login', arguments: {} }));
    const { code } = await logIn(sessions, structuredContent.loginUrl, { provider, user: 'alice' });
    expect(code).toMatch(/-/);
    await client.close();
  });

  it('leaves no listeners on the signal that a 2025 client has for all of its requests', async () => {
    const clock = new VirtualClock();
    const { sessions } = startWithOne(clock);
    const signals = new Set<AbortSignal>();
    let answered: (method: string | undefined) => void = () => undefined;
    const nextAnswer = () =>
      new Promise<string | undefined>((resolve) => {
        answered = resolve;
      });
    class ObservedTransport extends sdk2.StreamableHTTPClientTransport {
      constructor(
        url: URL,
        { fetch }: { fetch: (url: string | URL, init?: RequestInit) => Promise<Response> },
      ) {
        super(url, {
          fetch: async (input, init) => {
            if (init?.signal) signals.add(init.signal);
            const response = await fetch(input, init);
            answered(init?.method);
            return response;
          },
        });
      }
    }
    const client = new sdk2.Client(CLIENT_INFO, { supportedProtocolVersions: ['2025-11-25'] });
    await connectClient(sessions, { client, Transport: ObservedTransport });
    onTestFinished(() => client.close());
    expect(await nextAnswer()).toBe('GET');
    for (let ping = 0; ping < 50; ping++) {
      const answer = nextAnswer();
      await clock.advance(25_000);
      expect(await answer).toBe('POST');
    }
    const counts = [...signals].map((signal) => getEventListeners(signal, 'abort').length);
    expect(Math.max(...counts)).toBeGreaterThan(0);
    expect(Math.max(...counts)).toBeLessThan(5);
  });

  it('connects a client of SDK 1, and returns its transport', async () => {
    const { sessions } = startWithOne();
    const client = new Sdk1Client(CLIENT_INFO);
    const transport = await connectClient(sessions, {
      client: {
        connect: (wire: Sdk1Transport) => client.connect(wire as Parameters<typeof client.connect>[0]),
      },
      Transport: Sdk1Transport,
    });
    expect(transport.sessionId).toMatch(/./);
    await client.close();
  });
});
