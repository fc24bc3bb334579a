import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { startDeployment } from '../support/deployment.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { grantsOf } from '../support/proxied-identity-provider.js';
import {
  call2025,
  client2026,
  connect2025,
  JSON_HEADERS,
  logIn,
  messageOf,
  type RawAnswer,
  type RawClient,
  type RawRequest,
  request2026,
  send,
  startLogin,
} from '../support/raw-mcp.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

const EVIL_ORIGIN = 'https://evil.example';
const MIB = 1024 * 1024;
const MINUTE_MS = 60_000;
const UNKNOWN_ID = 'A'.repeat(43);

let notes: InProcessNotes;
let survivors: RawClient[];
let users = 0;

beforeAll(async () => {
  notes = await startInProcessNotes();
  survivors = [
    await logIn(await connect2025(notes.mcp), new Browser(), 'survivor'),
    await logIn(client2026(notes.mcp), new Browser(), 'survivor'),
  ];
});

afterEach(async () => {
  for (const client of survivors) {
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'survivor' });
  }
});

afterAll(async () => {
  const newcomer = await logIn(client2026(notes.mcp), new Browser(), 'newcomer');
  expect((await newcomer.call('whoami')).structured).toMatchObject({ subject: 'newcomer' });
  await newcomer.call('logout');
  await notes.close();
});

const at = (path: string) => new URL(path, notes.mcp);
const post = (body: string, headers: Record<string, string> = {}): RawRequest => ({
  method: 'POST',
  headers: { ...JSON_HEADERS, ...headers },
  body,
});
const errorOf = (answer: RawAnswer) => messageOf(answer).error;
const redeemedCodes = () => grantsOf(notes.provider, 'authorization_code').length;

const clients = {
  '2025': (): Promise<RawClient> => connect2025(notes.mcp),
  '2026': async (): Promise<RawClient> => client2026(notes.mcp),
};
const eras = ['2025', '2026'] as const;

describe('a request to the MCP endpoint', () => {
  const unknownIds = {
    unknown: UNKNOWN_ID,
    malformed: 'x',
    'a prototype’s name': '__proto__',
    long: 'A'.repeat(5000),
  };

  it.each(Object.entries(unknownIds))(
    'with a session id that is %s is answered 404 for every method',
    async (_, id) => {
      for (const method of ['POST', 'GET', 'DELETE']) {
        const body = method === 'POST' ? { body: call2025('whoami') } : {};
        const answer = await send(notes.mcp, {
          method,
          headers: { ...JSON_HEADERS, 'mcp-session-id': id },
          ...body,
        });
        expect(answer.status).toBe(404);
        expect(errorOf(answer)?.message).toMatch(/initialize/);
      }
    },
  );

  it('that sends `initialize` without a JSON-RPC id is refused', async () => {
    const params = {
      protocolVersion: '2025-11-25',
      capabilities: {},
      clientInfo: { name: 'raw', version: '1' },
    };
    const body = JSON.stringify({ jsonrpc: '2.0', method: 'initialize', params });
    const startedOrEnded = () =>
      notes.events.filter(({ type }) => /^session.(started|ended)/.test(type)).length;
    const before = startedOrEnded();
    const answer = await send(notes.mcp, post(body));
    expect(answer.status).toBe(400);
    expect(errorOf(answer)?.message).toMatch(/id/);
    expect(startedOrEnded()).toBe(before);
  });

  it.each(['', '{', '{"jsonrpc": "2.0",}', '\u0000', 'whoami'])(
    'with the malformed body %j is answered 400',
    async (body) => {
      const answer = await send(notes.mcp, post(body));
      expect(answer.status).toBe(400);
      expect(errorOf(answer)).toMatchObject({ code: -32700 });
    },
  );

  it.each([
    'null',
    '42',
    '"text"',
    '[]',
    '{}',
    '[1]',
    '[[]]',
    '{"jsonrpc":"2.0"}',
    '{"jsonrpc":"1.0","id":1,"method":"ping"}',
  ])('with the body %s, which is JSON but not a request, is answered 400', async (body) => {
    const answer = await send(notes.mcp, post(body));
    expect(answer.status).toBe(400);
    expect(errorOf(answer)?.message).toBeTruthy();
  });

  it('[security 40] of more than 1 MiB is answered 413, with or without Content-Length', async () => {
    const chunk = ' '.repeat(MIB / 8);
    const announced = await send(notes.mcp, post(' '.repeat(MIB + 1)));
    const chunked = await send(notes.mcp, {
      method: 'POST',
      headers: JSON_HEADERS,
      chunks: new Array(9).fill(chunk),
    });
    for (const answer of [announced, chunked]) {
      expect(answer.status).toBe(413);
      expect(errorOf(answer)?.message).toMatch(/1 MiB/);
    }
  });

  it('in chunks is served', async () => {
    const { headers = {}, body = '' } = request2026('tools/call', { name: 'session_status', arguments: {} });
    const chunks = [body.slice(0, 20), body.slice(20)];
    expect((await send(notes.mcp, { method: 'POST', headers, chunks })).status).toBe(200);
  });

  it.each([33, 100_000])('[security 40] with JSON that is %i levels deep is answered 400', async (levels) => {
    const answer = await send(notes.mcp, post('['.repeat(levels) + ']'.repeat(levels)));
    expect(answer.status).toBe(400);
    expect(errorOf(answer)?.message).toMatch(/nested/);
  });

  it('[security 40] with an `initialize` of more than 16 KiB is answered 413', async () => {
    const clientInfo = { name: 'x'.repeat(17 * 1024), version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const answer = await send(
      notes.mcp,
      post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })),
    );
    expect(answer.status).toBe(413);
    expect(errorOf(answer)?.message).toMatch(/16 KiB/);
  });

  it('[security 40] with more than 16 KiB of headers is answered 431', async () => {
    const answer = await send(notes.mcp, post(call2025('whoami'), { 'x-padding': 'x'.repeat(17 * 1024) }));
    expect(answer.status).toBe(431);
  });
});

describe('[security 43] a request', () => {
  const paths = [
    '/mcp',
    '/healthz',
    `/connect/${UNKNOWN_ID}`,
    '/callback?state=x',
    '/login/done',
    `/connect/${'A'.repeat(43)}/code`,
    '/login/failed/declined',
    '/',
    '/none',
  ];
  const hosts = [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    'notlocalhost',
    // Names that are not valid in a URL.
    '.4',
    '1.2.3.4.5',
    '256.256.256.256',
    'xn--a',
    '203.0.113.7',
  ];

  it.each(paths)('with a foreign Host header is answered 403 at %s', async (path) => {
    for (const host of hosts.flatMap((name) => [name, `${name}:${new URL(notes.mcp).port}`])) {
      // The health check accepts every host name.
      const methods = ['GET', 'POST', 'DELETE', 'OPTIONS'].filter(
        (each) => path !== '/healthz' || each !== 'GET',
      );
      for (const method of methods) {
        const answer = await send(at(path), { method, headers: { host } });
        expect(answer.status, `${method} ${host}`).toBe(403);
      }
    }
  });

  it.each(paths)('from a page of another origin is answered 403 at %s', async (path) => {
    const origins = [
      EVIL_ORIGIN,
      'null',
      'http://127.0.0.1.evil.example',
      'http://127.0.0.1@evil.example',
      'file://',
      'nonsense',
    ];
    for (const origin of origins) {
      for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS']) {
        const answer = await send(at(path), { method, headers: { ...JSON_HEADERS, origin } });
        expect(answer.status, `${method} ${origin}`).toBe(403);
        expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
      }
    }
  });

  it('from a page of another origin has no effect', async () => {
    const [survivor] = survivors;
    const headers = { ...JSON_HEADERS, 'mcp-session-id': survivor!.secret, origin: EVIL_ORIGIN };
    expect((await send(notes.mcp, { method: 'POST', headers, body: call2025('logout') })).status).toBe(403);
    expect((await send(notes.mcp, { method: 'DELETE', headers })).status).toBe(403);
  });
});

describe.each(eras)('a %s tool call', (era) => {
  it.each([
    'nothing_of_that_name',
    '',
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'whoami\u202e',
    'WHOAMI',
  ])('of the unknown tool %j is answered with an error', async (tool) => {
    const client = await clients[era]();
    const outcome = await client.call(tool).catch((error: Error) => ({ isError: true, text: error.message }));
    expect(outcome.isError).toBe(true);
    expect(outcome.text).toMatch(/tool|header/i);
  });

  it.each([{}, { text: '' }, { text: 42 }, { text: null }, { text: ['x'] }, { text: 'x'.repeat(10_001) }])(
    'with wrong arguments is answered with an error that names the argument',
    async (args) => {
      const user = await loggedIn(era);
      const answer = await user.call('add_note', args);
      expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('text') });
      expect((await user.call('list_notes')).structured.notes).toEqual([]);
    },
  );

  it.each(['nowhere', '__proto__', 'constructor', ''])(
    'of `login` or `logout` for the unknown provider %j names the mistake',
    async (provider) => {
      const user = await loggedIn(era);
      for (const tool of ['login', 'logout']) {
        const answer = await user.call(tool, { provider });
        expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('provider') });
      }
      expect((await user.call('whoami')).isError).toBe(false);
    },
  );
});

describe('a 2026 tool call', () => {
  const tools = ['whoami', 'list_notes', 'login', 'logout', 'session_status'];
  const notAHandle = [42, true, {}, [], ['x'], '', 'x', '__proto__', UNKNOWN_ID, 'A'.repeat(10_000)];

  it.each(notAHandle.map((session) => ({ session })))(
    'with $session as the session is refused by every tool',
    async ({ session }) => {
      for (const tool of tools) {
        const answer = await client2026(notes.mcp).call(tool, { session });
        expect(answer, tool).toMatchObject({ isError: true, text: expect.stringMatching(/session|handle/) });
      }
    },
  );

  it('that names different sessions in `_meta` and in its arguments is refused', async () => {
    const [, survivor] = survivors;
    const mallory = await loggedIn('2026');
    const meta = { 'dev.mcp-sessions/session': survivor!.secret };
    const call = { name: 'whoami', arguments: { session: mallory.secret } };
    const answer = await send(notes.mcp, request2026('tools/call', call, { meta }));
    expect(messageOf(answer).result).toMatchObject({ isError: true });
  });

  it('of `logout` without a session asks for a session', async () => {
    const answer = await client2026(notes.mcp).call('logout');
    expect(answer).toMatchObject({ isError: true, text: expect.stringContaining('session') });
  });
});

describe('a callback from the provider', () => {
  async function callback() {
    const client = await connect2025(notes.mcp);
    const browser = new StepBrowser();
    const url = await browser.logInUntilCallback(await startLogin(client), 'alice');
    return { client, browser, url, redeemed: redeemedCodes() };
  }

  async function expectRejected(answer: RawAnswer, client: RawClient, redeemed: number) {
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/cannot be completed/);
    await expectNotRedeemed(client, redeemed);
  }

  async function expectOtherBrowser(answer: RawAnswer, client: RawClient, redeemed: number) {
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/Different browser/);
    await expectNotRedeemed(client, redeemed);
  }

  async function expectNotRedeemed(client: RawClient, redeemed: number) {
    expect(redeemedCodes()).toBe(redeemed);
    expect(await client.call('whoami')).toMatchObject({ isError: true });
  }

  const changes: Record<string, (url: URL) => void> = {
    'without a state': ({ searchParams }) => searchParams.delete('state'),
    'with an empty state': ({ searchParams }) => searchParams.set('state', ''),
    'with a wrong state': ({ searchParams }) => searchParams.set('state', UNKNOWN_ID),
    'with a changed state': ({ searchParams }) => searchParams.set('state', `${searchParams.get('state')}A`),
    'with two states': ({ searchParams }) => searchParams.append('state', UNKNOWN_ID),
    'with two codes': ({ searchParams }) => searchParams.append('code', 'x'),
    'with the code twice': ({ searchParams }) => searchParams.append('code', searchParams.get('code')!),
    'with two issuers': ({ searchParams }) => searchParams.append('iss', EVIL_ORIGIN),
  };

  it.each(Object.entries(changes))(
    '[security 46] %s is rejected, and the code is not redeemed',
    async (_, change) => {
      const { client, browser, url, redeemed } = await callback();
      change(url);
      await expectRejected(await browser.request(url), client, redeemed);
    },
  );

  it('[security 11] without the cookie of the login is rejected, and the code is not redeemed', async () => {
    const { client, url, redeemed } = await callback();
    await expectOtherBrowser(await new StepBrowser().request(url), client, redeemed);
  });

  it('[security 11] with the cookie from before the consent is rejected', async () => {
    const client = await connect2025(notes.mcp);
    const link = await startLogin(client);
    const browser = new StepBrowser();
    await browser.openConnectPage(link);
    const early = new Map(browser.cookies);
    const url = await browser.logInUntilCallback(link, 'alice');
    for (const [name, cookie] of early) browser.cookies.set(name, cookie);
    await expectOtherBrowser(await browser.request(url), client, redeemedCodes());
  });

  it('that is repeated is rejected, and the login stays', async () => {
    const { client, browser, url, redeemed } = await callback();
    expect(locationOf(await browser.request(url), url).pathname).toBe('/login/done');
    expect((await browser.request(url)).status).toBe(400);
    expect(redeemedCodes()).toBe(redeemed + 1);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });

  it('that arrives twice at the same time redeems the code once', async () => {
    const { client, browser, url, redeemed } = await callback();
    const answers = await Promise.all([browser.request(url), browser.request(url)]);
    expect(answers.map(({ status }) => status).sort()).toEqual([303, 400]);
    expect(redeemedCodes()).toBe(redeemed + 1);
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });

  it('[security 12] with another issuer is rejected, and the code is not redeemed', async () => {
    const { client, browser, url, redeemed } = await callback();
    url.searchParams.set('iss', EVIL_ORIGIN);
    expect(locationOf(await browser.request(url), url).pathname).toBe(
      '/login/failed/provider_refused/response_issuer',
    );
    expect(redeemedCodes()).toBe(redeemed);
    expect(await client.call('whoami')).toMatchObject({ isError: true });
  });

  it('with an invalid code shows the reason, and the client can log in again', async () => {
    const { client, browser, url } = await callback();
    url.searchParams.set('code', 'made-up');
    expect(locationOf(await browser.request(url), url).pathname).toBe(
      '/login/failed/provider_refused/grant_rejected',
    );
    await expectReasonThenLogin(client, /rejected/);
  });

  it('of a cancelled login shows the reason, and the client can log in again', async () => {
    const client = await connect2025(notes.mcp);
    const browser = new StepBrowser();
    const url = await browser.authorize(await browser.consent(await startLogin(client)), { cancel: 'yes' });
    expect(url.searchParams.get('error')).toBe('access_denied');
    expect(locationOf(await browser.request(url), url).pathname).toBe(
      '/login/failed/declined/authorization_denied',
    );
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
    await expectReasonThenLogin(client, /declined/);
  });

  it('[security 12] of an expired login shows the reason, and the code is not redeemed', async () => {
    const clock = new VirtualClock();
    const timed = await startInProcessNotes({ runtime: { clock } });
    try {
      const client = await connect2025(timed.mcp);
      const browser = new StepBrowser();
      const link = await startLogin(client);
      const url = await browser.logInUntilCallback(link, 'alice');
      await clock.advance(10 * MINUTE_MS);
      for (const address of [url, link]) {
        const answer = await browser.request(address);
        expect(locationOf(answer, address).pathname).toBe('/login/failed/expired');
      }
      expect(grantsOf(timed.provider, 'authorization_code')).toEqual([]);
      await logIn(client, new Browser(), 'alice');
    } finally {
      await timed.close();
    }
  });

  it('with parameters that are not UTF-8 is rejected', async () => {
    expect((await send(at('/callback?state=%E0%A4%A'))).status).toBe(400);
    expect((await send(at('/callback?state=%00&code=%ff'))).status).toBe(400);
  });
});

describe('the connect page', () => {
  async function link() {
    const client = await connect2025(notes.mcp);
    return { client, url: await startLogin(client) };
  }

  it('[security 11] has no side effects when it is loaded', async () => {
    const { client, url } = await link();
    const [events, before] = [notes.events.length, (await client.call('session_status')).structured];
    for (const method of ['GET', 'HEAD', 'GET']) expect((await send(url, { method })).status).toBe(200);
    expect(notes.events).toHaveLength(events);
    expect((await client.call('session_status')).structured).toMatchObject({ state: before.state });
    await new Browser().logIn(url, 'alice');
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'alice' });
  });

  const forgeries: Record<string, (browser: StepBrowser, url: string, form: string) => Promise<RawAnswer>> = {
    'without a form token': (browser, url) => browser.post(url, { action: 'continue' }),
    'with a wrong form token': (browser, url) => browser.post(url, { form: UNKNOWN_ID, action: 'continue' }),
    'without its cookie': (_, url, form) => new StepBrowser().post(url, { form, action: 'continue' }),
    'with another browser’s form token': async (browser, url) =>
      browser.post(url, { form: await new StepBrowser().openConnectPage(url), action: 'continue' }),
    'with another login’s form token': async (browser, url) =>
      browser.post(url, { form: await browser.openConnectPage((await link()).url), action: 'continue' }),
    'from another origin': (browser, url, form) =>
      browser.post(url, { form, action: 'continue' }, { origin: EVIL_ORIGIN }),
    'from another port of this machine': (browser, url, form) =>
      browser.post(url, { form, action: 'continue' }, { origin: notes.provider.issuer }),
    'from no origin': (browser, url, form) =>
      browser.post(url, { form, action: 'continue' }, { origin: 'null' }),
    'from another site, as the browser says': (browser, url, form) =>
      browser.post(url, { form, action: 'continue' }, { 'sec-fetch-site': 'cross-site' }),
    'to decline, without a form token': (browser, url) => browser.post(url, { action: 'decline' }),
  };

  it.each(Object.entries(forgeries))(
    '[security 11] submitted %s is answered 403 and changes nothing',
    async (_, forge) => {
      const { client, url } = await link();
      const browser = new StepBrowser();
      const form = await browser.openConnectPage(url);
      const failures = notes.events.filter(({ type }) => type === 'login.failed').length;
      expect((await forge(browser, url, form)).status).toBe(403);
      expect(notes.events.filter(({ type }) => type === 'login.failed')).toHaveLength(failures);
      expect((await client.call('login')).structured).toMatchObject({ status: 'pending', loginUrl: url });
    },
  );

  it.each(['multipart/form-data', 'multipart/form-data; boundary=x', 'text/plain', 'application/json'])(
    'submitted as %s is answered with a 4xx status',
    async (type) => {
      const { url } = await link();
      const headers = { 'content-type': type, origin: at('/').origin };
      const { status } = await send(url, { method: 'POST', headers, body: 'form=x&action=continue' });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(status).toBeLessThan(500);
    },
  );

  it('submitted with a large body is answered 413', async () => {
    const { url } = await link();
    const browser = new StepBrowser();
    expect((await browser.post(url, { form: 'x'.repeat(20_000) })).status).toBe(413);
  });

  it.each([UNKNOWN_ID, 'x', '__proto__', '%E0%A4%A', '..%2f..%2fmcp', '%00'])(
    'of the unknown link %s says that the link has expired',
    async (id) => {
      const answer = await send(at(`/connect/${id}`));
      expect(answer.status).toBe(404);
      expect(answer.text).toMatch(/expired/);
      const posted = await new StepBrowser().post(at(`/connect/${id}`), { form: 'x', action: 'continue' });
      expect([403, 404]).toContain(posted.status);
    },
  );

  it('ends the login when the user declines, and tells browser and client', async () => {
    const { client, url } = await link();
    const browser = new StepBrowser();
    const form = await browser.openConnectPage(url);
    expect(locationOf(await browser.post(url, { form, action: 'decline' }), url).pathname).toBe(
      '/login/failed/declined',
    );
    expect(locationOf(await browser.request(url), url).pathname).toBe('/login/failed/declined');
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
    await expectReasonThenLogin(client, /declined/);
  });

  it('[security 46] escapes the name of the client', async () => {
    const clientInfo = { name: '<script>alert(1)</script>"\'&', version: '1' };
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params });
    const { headers } = await send(notes.mcp, post(body));
    const answer = await send(
      notes.mcp,
      post(call2025('login'), { 'mcp-session-id': String(headers['mcp-session-id']) }),
    );
    const { loginUrl } = messageOf(answer).result?.structuredContent ?? {};
    const page = await send(String(loginUrl));
    expect(page.text).toContain('&lt;script&gt;');
    expect(page.text).not.toContain('<script');
    expect(page.headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'content-security-policy': expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
    });
  });

  it.each(['https://evil.example', '%2f%2fevil.example', '__proto__', 'constructor'])(
    '[security 46] does not redirect to another site: /login/failed/%s is answered 404',
    async (failure) => {
      const answer = await send(at(`/login/failed/${failure}`));
      expect(answer.status).toBe(404);
      expect(answer.headers).not.toHaveProperty('location');
    },
  );
});

describe('an unreachable provider', () => {
  it('makes the first `login` fail with the reason, and later logins succeed', async () => {
    const clock = new VirtualClock();
    const other = await startInProcessNotes({ runtime: { clock } });
    try {
      other.provider.isDown = true;
      for (const client of [await connect2025(other.mcp), client2026(other.mcp)]) {
        expect(await client.call('login')).toMatchObject({
          isError: true,
          text: expect.stringMatching(/the connection to the provider broke.*[Aa]gain/),
        });
        expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
      }
      other.provider.isDown = false;
      const client = await connect2025(other.mcp);
      await clock.advance(MINUTE_MS);
      await logIn(client, new Browser(), 'alice');
    } finally {
      await other.close();
    }
  });

  it('makes a login fail when its code is redeemed, and the next login succeeds', async () => {
    const client = await connect2025(notes.mcp);
    const browser = new StepBrowser();
    const url = await browser.logInUntilCallback(await startLogin(client), 'alice');
    notes.provider.isDown = true;
    const answer = await browser.request(url);
    notes.provider.isDown = false;
    // The provider closes a connection, which is a kept one or a new one.
    expect(locationOf(answer, url).pathname).toMatch(
      /^\/login\/failed\/provider_unavailable\/connection_(failed|lost)$/,
    );
    await expectReasonThenLogin(client, /Reason: .*\bprovider\b.*\./);
  });

  it('does not keep `logout` from wiping the tokens, and the revocation is reported as unconfirmed', async () => {
    const user = await loggedIn('2025');
    notes.provider.isDown = true;
    const answer = await user.call('logout');
    notes.provider.isDown = false;
    expect(answer.structured).toMatchObject({
      status: 'logged_out',
      accounts: [{ revocation: 'unconfirmed' }],
    });
    expect(await user.call('whoami')).toMatchObject({ isError: true });
  });
});

describe('the log', () => {
  /** Performs logins, calls and mistakes of every kind. @returns the secrets that were involved */
  async function tour(mcp: string, breakProvider: () => Promise<void> | void): Promise<Set<string>> {
    const secrets = new Set<string>();
    const clients: RawClient[] = [await connect2025(mcp), client2026(mcp)];
    for (const client of clients) {
      const browser = new StepBrowser();
      const link = await startLogin(client);
      secrets.add(client.secret).add(new URL(link).pathname.split('/').at(-1)!);
      const atProvider = await browser.consent(link);
      const url = await browser.authorize(atProvider, { username: 'alice' });
      for (const name of ['state', 'nonce', 'code_challenge'])
        secrets.add(atProvider.searchParams.get(name)!);
      secrets.add(url.searchParams.get('code')!);
      for (const { value } of browser.cookies.values()) secrets.add(value);
      expect((await new StepBrowser().request(url)).status).toBe(400);
      expect((await browser.request(url)).status).toBe(303);
      await expectReasonThenLogin(client, /another browser/);
      secrets.add(client.secret);
      expect(await client.call('whoami')).toMatchObject({ isError: false });
      expect(await client.call('add_note', { text: 42 })).toMatchObject({ isError: true });
      expect(await client.call('logout', { provider: client.secret })).toMatchObject({ isError: true });
      await send(mcp, post('{', { 'mcp-session-id': client.secret }));
      await send(mcp, post(call2025('whoami'), { 'mcp-session-id': `${client.secret}x` }));
      const multipart = { 'content-type': 'multipart/form-data', origin: new URL(mcp).origin };
      await send(link, { method: 'POST', headers: multipart, body: client.secret });
      await send(link, { method: 'POST', headers: multipart, body: client.secret.repeat(1000) });
    }
    await breakProvider();
    for (const client of clients) await client.call('logout');
    return secrets;
  }

  function expectNoneIn(log: string, secrets: Set<string>, tokens: readonly string[]) {
    expect(log).toContain('account.authenticated');
    expect(log).toContain('unconfirmed');
    expect(secrets.size).toBeGreaterThanOrEqual(14);
    expect(tokens.length).toBeGreaterThanOrEqual(4);
    expect([...secrets, ...tokens].filter((secret) => log.includes(secret))).toEqual([]);
  }

  it('[security 48] of the library at level trace contains no secret', async () => {
    const lines: string[] = [];
    const logger = pino({ level: 'trace' }, { write: (line) => lines.push(line) });
    const logged = await startInProcessNotes({ logger });
    try {
      const secrets = await tour(logged.mcp, () => {
        logged.provider.isDown = true;
      });
      expectNoneIn(lines.join(''), secrets, logged.provider.issuedTokens);
    } finally {
      await logged.close();
    }
  });

  it('[security 48] of the server at level debug contains no secret, and neither does its other output', async () => {
    const { provider, server, mcp, stop } = await startDeployment({ flags: ['--log-level', 'debug'] });
    try {
      const secrets = await tour(mcp, () => provider.stop());
      await server.stop();
      const printed = [...server.stdout.entries, ...server.stderr.entries].join('\n');
      expectNoneIn(printed, secrets, provider.issued.entries);
    } finally {
      await stop();
    }
  });
});

/** Expects that a client gets the reason of a failed login once, and can then log in. */
async function expectReasonThenLogin(client: RawClient, reason: RegExp): Promise<void> {
  expect(await client.call('login')).toMatchObject({ isError: true, text: expect.stringMatching(reason) });
  await logIn(client, new Browser(), 'alice');
}

/** A client with a new user who is logged in. */
async function loggedIn(era: (typeof eras)[number]): Promise<RawClient> {
  return logIn(await clients[era](), new Browser(), `user-${++users}`);
}
