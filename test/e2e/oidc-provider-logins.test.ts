import type { IncomingMessage } from 'node:http';
import { getRequestListener } from '@hono/node-server';
import { parseHTML } from 'linkedom';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { loadOidcProvider } from '../../packages/server/src/sample/load-oidc-provider.js';
import { createLogin } from '../../packages/server/src/sample/login.js';
import { type LoopbackServer, serveOnLoopback } from '../../packages/server/src/sample/loopback-server.js';
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
import { Browser, type Page } from '../support/browser.js';
import { connect } from '../support/mcp-clients.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const RESOURCE = 'urn:notes-api';
const CLIENTS = ['SDK 1.x', 'SDK 2.x auto'] as const;

/** A request as the provider or the MCP server received it. */
interface Received {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
}

function receivedOf({ method = '', url = '' }: IncomingMessage): Received {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  return { method, path: pathname, query: searchParams };
}

/** A browser that runs the script of a page which only submits its form (OAuth 2.0 Form Post Response Mode). */
class ScriptingBrowser extends Browser {
  /** The paths that such forms were posted to. */
  readonly posted: string[] = [];

  override async logIn(loginUrl: string, username: string): Promise<Page> {
    const page = await super.logIn(loginUrl, username);
    const form = parseHTML(page.text).document.querySelector('form');
    if (!form || form.querySelector('input:not([type=hidden])')) return page;
    this.posted.push(new URL(form.getAttribute('action') ?? '').pathname);
    return this.submit(page, {});
  }
}

describe.each(CLIENTS)('a login at oidc-provider by %s', (kind) => {
  const credentials = createCredentials('mcp-sessions');
  const atProvider: Received[] = [];
  let provider: LoopbackServer;

  beforeAll(async () => {
    const oidc = await loadOidcProvider();
    provider = await serveOnLoopback(0, (issuer) => {
      const configuration = providerConfiguration(oidc, {
        client: credentials,
        resource: RESOURCE,
        resourceServer: createCredentials('api'),
      });
      const op = new oidc.Provider(issuer, {
        ...configuration,
        clients: [
          mcpServerClient(credentials),
          {
            ...mcpServerClient(credentials),
            client_id: 'pushing',
            require_pushed_authorization_requests: true,
          },
        ],
        issueRefreshToken: () => true,
        features: { ...configuration.features, pushedAuthorizationRequests: { enabled: true } },
      });
      const login = getRequestListener(createLogin(op).fetch, { overrideGlobalObjects: false });
      const callback = op.callback();
      return (request, response) => {
        atProvider.push(receivedOf(request));
        return request.url?.startsWith(LOGIN_PATH) ? login(request, response) : callback(request, response);
      };
    });
  });

  afterAll(() => provider.close());

  /** An MCP server with this provider, and a client of it. */
  async function start(options: Partial<ProviderOptions> = {}) {
    const events: SessionEvent[] = [];
    /** The token requests of the MCP server. */
    const forms: URLSearchParams[] = [];
    atProvider.length = 0;
    const sessions = createSessions({
      server: { name: 'notes', version: '1.0.0' },
      providers: { name: 'idp', issuer: provider.origin, ...credentials, ...options },
      lifetimes: { shutdownDrainMs: 0 },
      runtime: {
        fetch: (input, init) => {
          if (init?.body instanceof URLSearchParams) forms.push(new URLSearchParams(init.body));
          return fetch(input, init);
        },
      },
      tools: (server, context) => {
        const whoami = async () => {
          const account = await context.session().account();
          return { content: [{ type: 'text' as const, text: `${account?.subject}` }] };
        };
        server.registerTool('whoami', {}, context.requireLogin(whoami));
      },
    });
    sessions.onEvent((event) => events.push(event));
    const { url } = await sessions.listen({ port: 0 });
    onTestFinished(() => sessions.close());
    const client = await connect(kind, new URL('/mcp', url).href);
    onTestFinished(() => client.close());
    return { client, events, forms };
  }

  /** Logs in, calls a tool and logs out. @returns the browser */
  async function useOnce({ client, events }: Awaited<ReturnType<typeof start>>): Promise<ScriptingBrowser> {
    const browser = new ScriptingBrowser();
    const { account } = await client.logIn('alice', browser);
    expect(account).toMatchObject({ provider: 'idp', subject: 'alice' });
    expect(await client.call('whoami')).toMatchObject({ isError: false, text: 'alice' });
    expect((await client.call('logout')).structured).toMatchObject({
      accounts: [{ revocation: 'confirmed' }],
    });
    expect(events.filter(({ type }) => /failed|nonconforming/.test(type))).toEqual([]);
    return browser;
  }

  const authorizations = () => atProvider.filter(({ path }) => path === '/auth').map(({ query }) => query);

  it('pushes its request if the registration requires it (RFC 9126)', async () => {
    await useOnce(await start({ clientId: 'pushing', pushedAuthorization: true }));
    expect(atProvider.filter(({ path }) => path === '/request')).toMatchObject([{ method: 'POST' }]);
    expect(authorizations().map((query) => [...query.keys()].toSorted())).toEqual([
      ['client_id', 'request_uri'],
    ]);
  });

  it('gets its response as a form that the browser posts', async () => {
    const browser = await useOnce(await start({ responseMode: 'form_post' }));
    expect(authorizations().map((query) => query.get('response_mode'))).toEqual(['form_post']);
    expect(browser.posted).toEqual(['/callback']);
  });

  it('gets tokens for the API that the options name (RFC 8707)', async () => {
    const server = await start({ resource: RESOURCE, scopes: ['openid', 'notes'] });
    await useOnce(server);
    expect(authorizations().map((query) => query.getAll('resource'))).toEqual([[RESOURCE]]);
    const exchanges = server.forms.filter((form) => form.get('grant_type') === 'authorization_code');
    expect(exchanges.map((form) => form.getAll('resource'))).toEqual([[RESOURCE]]);
  });

  it('gets a response with the issuer, which has to be the configured one (RFC 9207) [security 12]', async () => {
    const { client, events, forms } = await start();
    const callbackOf = async (browser: StepBrowser) => {
      const { structured } = await client.call('login');
      return browser.logInUntilCallback(String(structured.loginUrl), 'alice');
    };
    for (const iss of [undefined, 'https://evil.test']) {
      const browser = new StepBrowser();
      const callback = await callbackOf(browser);
      expect(callback.searchParams.get('iss')).toBe(provider.origin);
      callback.searchParams.delete('iss');
      if (iss !== undefined) callback.searchParams.set('iss', iss);
      const page = await browser.request(callback);
      const shown = await browser.request(locationOf(page, callback));
      expect(shown.text).toMatch(/the response to the login does not name the issuer of the provider/i);
      expect(await client.call('login')).toMatchObject({
        isError: true,
        text: expect.stringMatching(/does not name the issuer of the provider.*Call `login` to try again/),
      });
    }
    expect(events.filter(({ type }) => type === 'provider.failed')).toMatchObject([
      { step: 'authorization', reason: 'response_issuer', expected: provider.origin, setting: 'issuer' },
      { step: 'authorization', reason: 'response_issuer', received: 'https://evil.test' },
    ]);
    expect(forms).toEqual([]);

    const browser = new StepBrowser();
    const callback = await callbackOf(browser);
    await browser.request(callback);
    expect((await client.call('login')).structured).toMatchObject({ status: 'authenticated' });
  });
});
