import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createSessions,
  PROVIDER_FAILURE_REASONS,
  type ProviderOptions,
  type SessionEvent,
} from '../../packages/sessions/src/index.js';
import { FAILURE_TEXTS } from '../../packages/sessions/src/session/provider-failure-texts.js';
import {
  FaultingProvider,
  type FaultingProviderOptions,
  VirtualClock,
} from '../../packages/sessions/src/testing/index.js';
import { inMemory2025 } from '../support/in-memory-client.js';

const ORIGIN = 'http://127.0.0.1:3000';
const JSON_TYPE = { 'content-type': 'application/json' };

/** Requests pages with the cookies of earlier responses. Does not follow redirects. */
class MemoryBrowser {
  readonly #handle: (request: Request) => Promise<Response>;
  readonly #cookies = new Map<string, string>();

  constructor(handle: (request: Request) => Promise<Response>) {
    this.#handle = handle;
  }

  async open(
    path: unknown,
    form?: Record<string, string>,
  ): Promise<{ status: number; text: string; to: string }> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const init = form ? { method: 'POST', body: new URLSearchParams(form) } : {};
    const request = new Request(new URL(String(path), ORIGIN), {
      ...init,
      headers: { cookie, origin: ORIGIN },
    });
    const response = await this.#handle(request);
    for (const line of response.headers.getSetCookie()) {
      const [name = '', value = ''] = (line.split(';', 1)[0] ?? '').split('=');
      this.#cookies.set(name, value);
    }
    return {
      status: response.status,
      text: await response.text(),
      to: response.headers.get('location') ?? '',
    };
  }

  /** Opens a link and presses "Continue". */
  async consent(link: unknown) {
    const { text } = await this.open(link);
    return this.open(link, { form: /name="form" value="([^"]*)"/.exec(text)?.[1] ?? '', action: 'continue' });
  }
}

function start(
  options: FaultingProviderOptions = {},
  change: { fetch?: (next: typeof fetch) => typeof fetch; options?: Partial<ProviderOptions> } = {},
) {
  const clock = new VirtualClock();
  const provider = new FaultingProvider({ clock, ...options });
  const second = { ...provider.options, name: 'second' };
  const events: SessionEvent[] = [];
  const lines: object[] = [];
  const write = (entry: object, text: string) => void lines.push({ ...entry, text });
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    publicUrl: ORIGIN,
    providers: [{ ...provider.options, deviceFlow: 'allowed', ...change.options }, second],
    runtime: { fetch: change.fetch?.(provider.fetch) ?? provider.fetch, clock },
    logger: { debug: write, info: write, warn: write, error: write },
    tools: () => undefined,
  });
  onTestFinished(() => sessions.close({ drainMs: 0 }));
  sessions.onEvent((event) => events.push(event));
  const failures = () => events.filter(({ type }) => type === 'provider.failed');
  const browser = () => new MemoryBrowser((request) => sessions.handleRequest(request));
  const connect = async () => {
    const client = await inMemory2025(sessions);
    return {
      login: async (args = {}) => client.call('login', args),
      link: async (args = {}) => (await client.call('login', args)).structured.loginUrl,
      state: async () => (await client.call('session_status')).structured.state,
    };
  };
  return { clock, provider, sessions, events, lines, failures, browser, connect };
}

describe('an error that a provider sends without `state`', () => {
  const ERROR = '/callback?error=invalid_scope&error_description=No+such+scope&code=c';

  it('ends the only login of the browser, with the reason on the page, in the tool and in the log', async () => {
    const { provider, browser, connect, failures, events } = start();
    const [client, user] = [await connect(), browser()];
    const link = await client.link();
    await user.consent(link);
    const { to } = await user.open(ERROR);
    expect(to).toBe('/login/failed/provider_refused/authorization_error');
    expect((await user.open(to)).text).toContain(
      'The provider rejected the login request. No access was granted.',
    );
    expect((await user.open(link)).to).toBe(to);
    expect(await client.state()).toBe('anonymous');
    expect(failures()).toMatchObject([
      { oauthError: 'invalid_scope', oauthDescription: 'No such scope', setting: 'scopes' },
    ]);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'login.failed', reason: 'authorization_error' }),
    );
    expect((await client.login()).text).toBe(
      'The identity provider rejected the login, or its response was not valid. Reason: the provider rejected the login request (invalid_scope). Call `login` to try again. If it fails again, tell the operator of this server: the log has the reason `authorization_error`.',
    );
    expect(provider.requests.token).toBe(0);
  });

  it.each([
    ['without a cookie', async () => undefined, ERROR],
    [
      'at the redirect URI of another provider',
      undefined,
      ERROR.replace('/callback', '/login/callback/second'),
    ],
    ['without an error', undefined, '/callback?code=c'],
    ['with an unknown state', undefined, `${ERROR}&state=unknown`],
  ])('ends no login %s', async (_how, consent, path) => {
    const { browser, connect, failures } = start();
    const [client, user] = [await connect(), browser()];
    const link = await client.link();
    await (consent ?? (() => user.consent(link)))();
    expect((await user.open(path)).status).toBe(400);
    expect(await client.state()).toBe('pending');
    expect(failures()).toEqual([]);
  });

  it('ends no login if the browser has two', async () => {
    const { browser, connect } = start();
    const user = browser();
    const clients = [await connect(), await connect()];
    for (const client of clients) await user.consent(await client.link());
    expect((await user.open(ERROR)).status).toBe(400);
    for (const client of clients) expect(await client.state()).toBe('pending');
  });
});

describe('a login whose consent fails', () => {
  it('ends if the provider rejects the request, and says why', async () => {
    const { provider, browser, connect, failures } = start({ quirks: ['par_required'] });
    provider.failNext('pushed_authorization', {
      status: 400,
      headers: JSON_TYPE,
      body: '{"error":"invalid_request"}',
    });
    const [client, user] = [await connect(), browser()];
    const link = await client.link();
    const page = await user.consent(link);
    expect(page).toMatchObject({ status: 502, text: expect.stringContaining('Login rejected') });
    expect(page.text).toContain('The provider rejected the request for tokens.');
    expect(await client.state()).toBe('anonymous');
    expect((await user.open(link)).to).toBe('/login/failed/provider_refused/token_error');
    expect(failures()).toMatchObject([{ step: 'pushed_authorization', oauthError: 'invalid_request' }]);
    expect((await client.login()).text).toContain('(invalid_request)');
  });

  it('stays pending if the provider is out of order, and the user can consent again', async () => {
    const { provider, browser, connect, failures } = start({ quirks: ['par_required'] });
    provider.failNext('pushed_authorization', { status: 503 });
    const [client, user] = [await connect(), browser()];
    const link = await client.link();
    const page = await user.consent(link);
    expect(page).toMatchObject({ status: 502, text: expect.stringContaining('Open the login again') });
    expect(page.text).toContain('has not started: the provider is overloaded or out of order.');
    expect(await client.state()).toBe('pending');
    expect(failures()).toMatchObject([{ reason: 'provider_busy', status: 503 }]);
    expect((await user.consent(link)).to).toContain('https://provider.test/authorize');
  });
});

describe('user info about another user than the ID token', () => {
  it('ends the login, with the reason on the page, in the tool and in the log [security 12]', async () => {
    const { provider, browser, connect, events, failures } = start(
      { idTokens: true },
      { options: { identitySource: 'user_info' } },
    );
    provider.failNext('userinfo', async () => Response.json({ sub: 'mallory', name: 'Mallory' }));
    const [client, user] = [await connect(), browser()];
    const { to } = await user.consent(await client.link());
    const failed = await user.open(provider.authorize(to, 'alice'));
    expect(failed.to).toBe('/login/failed/provider_refused/user_info_mismatch');
    expect((await user.open(failed.to)).text).toContain(
      'The user info of the provider is about another user than the ID token.',
    );
    expect(await client.state()).toBe('anonymous');
    expect((await client.login()).text).toContain(
      'Reason: the user info of the provider is about another user than the ID token.',
    );
    expect(failures()).toMatchObject([
      {
        step: 'user_info',
        reason: 'user_info_mismatch',
        claim: 'sub',
        endpoint: 'https://provider.test/userinfo',
        setting: 'endpoints, identitySource',
      },
    ]);
    expect(JSON.stringify(events)).not.toContain('mallory');
    await expect.poll(() => provider.livingUsers()).toEqual([]);
  });
});

describe('the page of a failed login', () => {
  it.each(PROVIDER_FAILURE_REASONS)('says what %s means', async (reason) => {
    const { text, status } = await start().browser().open(`/login/failed/provider_refused/${reason}`);
    expect(status).toBe(200);
    expect(text.toLowerCase()).toContain(FAILURE_TEXTS[reason].short.toLowerCase());
  });

  it.each([
    'provider_refused/constructor',
    'provider_refused/%3Cb%3E',
    'made_up/timeout',
    'provider_refused/a/b',
  ])('does not exist for %s [security 46]', async (path) => {
    expect((await start().browser().open(`/login/failed/${path}`)).status).toBe(404);
  });
});

describe('a failed login with the device flow', () => {
  it('says why the provider issued no code', async () => {
    const { provider, connect, failures } = start();
    provider.failNext('device', { status: 400, headers: JSON_TYPE, body: '{"error":"unauthorized_client"}' });
    const client = await connect();
    expect((await client.login({ flow: 'device' })).text).toMatch(
      /the provider rejected the client registration of this server \(unauthorized_client\)\. Ask the operator/,
    );
    expect(await client.state()).toBe('anonymous');
    expect(failures()).toMatchObject([{ step: 'device', reason: 'client_rejected' }]);
  });

  it('reports the rejected poll once', async () => {
    const { clock, provider, connect, failures } = start();
    const client = await connect();
    await client.login({ flow: 'device' });
    provider.failNext('token', { status: 401, body: '{"error":"invalid_client"}' });
    await clock.advance(5000);
    expect(await client.state()).toBe('anonymous');
    expect(failures()).toHaveLength(1);
    expect((await client.login()).text).toContain('registration of this server (invalid_client).');
    expect((await client.login()).structured).toMatchObject({ status: 'pending' });
  });
});

describe('a provider that repeats secrets in its errors', () => {
  it('brings none of them to the log, to listeners, pages or tools [security 48]', async () => {
    const secrets = new Set<string>();
    const echo =
      (next: typeof fetch): typeof fetch =>
      async (input, init) => {
        if (!(init?.body instanceof URLSearchParams)) return next(input, init);
        const sent = [init.body.get('code_verifier') ?? '', `${init.body.get('code')}${'x'.repeat(20)}`];
        for (const secret of sent) secrets.add(secret);
        const explanation = `Rejected:\r\n${sent.join(' and ')} ${'padding '.repeat(200)}${sent.join(' ')}`;
        return Response.json({ error: `${sent[0]}`, error_description: explanation }, { status: 400 });
      };
    const { provider, browser, connect, events, lines, failures } = start({}, { fetch: echo });
    const [client, user] = [await connect(), browser()];
    const { to } = await user.consent(await client.link());
    const callback = provider.authorize(to, 'alice');
    secrets.add(callback.searchParams.get('state') ?? '');
    const failed = await user.open(callback);
    const seen = [failed, await user.open(failed.to), await client.login(), events, lines];
    expect(failures()).toMatchObject([
      {
        reason: 'token_error',
        oauthError: '…',
        oauthDescription: expect.stringMatching(/^Rejected:… and … /),
      },
    ]);
    expect(secrets.size).toBe(3);
    for (const secret of secrets) expect(JSON.stringify(seen)).not.toContain(secret);
  });
});
