import type { RequestListener } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { parseHTML } from 'linkedom';
import { afterEach, describe, expect, it } from 'vitest';
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
  type SessionEvent,
} from '../../packages/sessions/src/index.js';
import { omitUndefined } from '../../packages/sessions/src/omit-undefined.js';
import { createLatch } from '../support/latch.js';
import { client2026, connect2025, type RawClient, send, startLogin } from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const ERAS = ['2025', '2026'] as const;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Differences {
  /** Options of this server for the provider. */
  readonly options?: Partial<ProviderOptions>;
  /** Whether logout tokens name the session of the browser (`sid`). Default: true. */
  readonly hasSession?: boolean;
}

/** An MCP server, and an OpenID provider that sends it logout tokens. */
async function start({ options, hasSession = true }: Differences = {}) {
  const client = createCredentials('mcp-sessions');
  let serve: RequestListener = (_request, response) => response.destroy();
  const mcpServer = await serveOnLoopback(0, () => (request, response) => serve(request, response));
  const failed: unknown[] = [];
  const oidc = await loadOidcProvider();
  const provider = await serveOnLoopback(0, (issuer) => {
    const resourceServer = createCredentials('api');
    // The sample keeps no browser sessions, and only what has a session can end it.
    const { adapter: _, ...configuration } = providerConfiguration(oidc, {
      client,
      resourceServer,
      resource: 'urn:api',
    });
    const registered = {
      ...mcpServerClient(client),
      backchannel_logout_uri: `${mcpServer.origin}/login/logout/idp`,
      backchannel_logout_session_required: hasSession,
    };
    const op = new oidc.Provider(issuer, {
      ...configuration,
      clients: [registered],
      claims: { openid: ['sub', 'employee'] },
      findAccount: (_ctx, subject) => ({
        accountId: subject,
        claims: () => ({ sub: subject, employee: `e-${subject}` }),
      }),
      // The default refuses loopback addresses.
      fetch: (url, { method, headers, body } = {}) => fetch(url, omitUndefined({ method, headers, body })),
      features: {
        ...configuration.features,
        // A token for the API cannot request the user info.
        resourceIndicators: { enabled: false },
        backchannelLogout: { enabled: true },
        rpInitiatedLogout: { enabled: true },
      },
    });
    op.on('backchannel.error', (_ctx, error) => void failed.push(error));
    const login = getRequestListener(createLogin(op).fetch, { overrideGlobalObjects: false });
    const callback = op.callback();
    return (request, response) =>
      request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response);
  });
  const events: SessionEvent[] = [];
  const began = createLatch();
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    publicUrl: mcpServer.origin,
    providers: {
      name: 'idp',
      issuer: provider.origin,
      ...client,
      scopes: ['openid', 'offline_access'],
      ...options,
    },
    lifetimes: { shutdownDrainMs: 0 },
    tools: (server, context) => {
      server.registerTool(
        'hold',
        { description: 'Runs until it is aborted.' },
        context.requireLogin(async ({ mcpReq: { signal } }) => {
          began.open();
          await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
          return { content: [{ type: 'text' as const, text: 'aborted' }] };
        }),
      );
    },
  });
  sessions.onEvent((event) => void events.push(event));
  serve = (request, response) => sessions.middleware(request, response);
  closers.push(mcpServer.close, provider.close, () => sessions.close());
  const mcp = `${mcpServer.origin}/mcp`;
  const connect = async (era: (typeof ERAS)[number]): Promise<RawClient> =>
    era === '2025' ? connect2025(mcp) : client2026(mcp);
  return { connect, events, failed, began, origin: mcpServer.origin, issuer: provider.origin };
}

/** A user's browser, which stays logged in at the provider. */
class User {
  readonly #browser = new StepBrowser();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  async logIn(client: RawClient): Promise<void> {
    let url = await this.#browser.consent(await startLogin(client));
    for (;;) {
      const answer = await this.#browser.request(url);
      if (answer.status === 200 && url.pathname.startsWith(LOGIN_PATH)) {
        url = locationOf(await this.#browser.post(url, { username: this.#name, password: 'any' }), url);
      } else if (answer.status >= 300 && answer.status < 400) url = locationOf(answer, url);
      else break;
    }
    expect((await client.call('login')).structured).toMatchObject({ status: 'authenticated' });
  }

  /** Logs out at the provider, which answers when it has sent the logout tokens. */
  async logOut(issuer: string): Promise<void> {
    const page = await this.#browser.request(`${issuer}/session/end`);
    const input = parseHTML(page.text).document.querySelector('input[name=xsrf]');
    const form = { xsrf: input?.getAttribute('value') ?? '', logout: 'yes' };
    expect((await this.#browser.post(`${issuer}/session/end/confirm`, form)).status).toBeLessThan(400);
  }
}

const statusOf = async (client: RawClient) => (await client.call('session_status')).structured;

describe.each(ERAS)('a logout at the provider (%s)', (era) => {
  it('signs out the sessions of its user at once, and aborts their calls', async () => {
    const { connect, events, failed, began, issuer } = await start();
    const [first, second] = [await connect(era), await connect(era)];
    const [elsewhere, other] = [await connect(era), await connect(era)];
    const [alice, bob] = [new User('alice'), new User('bob')];
    await alice.logIn(first);
    await alice.logIn(second);
    await bob.logIn(other);
    await new User('alice').logIn(elsewhere);
    const holding = first.call('hold');
    await began.opened;

    await alice.logOut(issuer);

    expect(failed).toEqual([]);
    expect((await holding).text).toBe('aborted');
    for (const client of [first, second]) {
      const { text } = await client.call('session_status');
      expect(text).toContain('logged out at the provider');
    }
    // The token names the session of the browser (`sid`).
    for (const client of [elsewhere, other])
      expect(await statusOf(client)).toMatchObject({ state: 'authenticated' });
    const type = era === '2025' ? 'session.signed_out' : 'session.ended';
    const ended = events.filter((event) => event.type === type);
    expect(ended.slice(-2)).toMatchObject([{ reason: 'provider_logout' }, { reason: 'provider_logout' }]);
    await expect
      .poll(() => events.filter((event) => event.type === 'account.revoked'))
      .toMatchObject([
        { subject: 'alice', revocation: 'confirmed' },
        { subject: 'alice', revocation: 'confirmed' },
      ]);
    await alice.logIn(era === '2025' ? first : await connect(era));
  });
});

describe('a logout token without `sid`', () => {
  it.each<[string, Partial<ProviderOptions>, string]>([
    ['the ID token', {}, 'alice'],
    [
      'a field of the user info',
      { identitySource: 'user_info', identityFields: { subject: 'employee' } },
      'e-alice',
    ],
  ])(
    'signs out all sessions of its user, whom %s identifies, and no other user [security 59]',
    async (_what, options, subject) => {
      const { connect, events, failed, issuer } = await start({ options, hasSession: false });
      const [first, elsewhere, other] = [await connect('2025'), await connect('2025'), await connect('2025')];
      const alice = new User('alice');
      await alice.logIn(first);
      await new User('alice').logIn(elsewhere);
      await new User('bob').logIn(other);
      expect(await statusOf(first)).toMatchObject({ accounts: [{ subject }] });

      await alice.logOut(issuer);

      expect(failed).toEqual([]);
      for (const client of [first, elsewhere]) {
        const { text } = await client.call('session_status');
        expect(text).toContain('logged out at the provider');
      }
      expect(await statusOf(other)).toMatchObject({ state: 'authenticated' });
      await expect
        .poll(() => events.filter((event) => event.type === 'account.revoked'))
        .toMatchObject([
          { subject, revocation: 'confirmed' },
          { subject, revocation: 'confirmed' },
        ]);
    },
  );
});

describe('the address for logout tokens', () => {
  const post = (url: string, body: string) =>
    send(url, { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' }, body });

  it('refuses what is no logout token, and says so in an event without the token', async () => {
    const { origin, events } = await start();
    for (const body of ['logout_token=abc', '', 'logout_token=a&logout_token=b']) {
      const answer = await post(`${origin}/login/logout/idp`, body);
      expect(answer).toMatchObject({ status: 400, headers: { 'cache-control': 'no-store' } });
      expect(JSON.parse(answer.text)).toEqual({ error: 'invalid_request' });
    }
    expect(events).toEqual(
      new Array(3).fill({ type: 'logout.refused', provider: 'idp', reason: 'malformed' }),
    );
    expect((await post(`${origin}/login/logout/idp`, `logout_token=${'a'.repeat(20_000)}`)).status).toBe(413);
  });

  it('exists for configured providers only, and takes no other method', async () => {
    const { origin } = await start();
    expect((await post(`${origin}/login/logout/other`, 'logout_token=a')).status).toBe(404);
    expect((await send(`${origin}/login/logout/idp`, { method: 'GET', headers: {} })).status).toBe(404);
  });
});
