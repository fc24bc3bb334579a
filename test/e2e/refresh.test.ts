import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { RegisterTools } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Browser } from '../support/browser.js';
import { type InProcessNotes, startInProcessNotes } from '../support/in-process-notes.js';
import { type Exchange, grantsOf } from '../support/proxied-identity-provider.js';
import { client2026, connect2025, logIn, type RawClient, startLogin } from '../support/raw-mcp.js';
import { type RecordingApi, startRecordingApi } from '../support/recording-api.js';
import { locationOf, StepBrowser } from '../support/step-browser.js';

let notes: InProcessNotes;
let api: RecordingApi;
let otherApi: RecordingApi;
let elsewhere: RecordingApi;
let entered = 0;
const clock = new VirtualClock();

beforeAll(async () => {
  [api, otherApi, elsewhere] = await Promise.all([
    startRecordingApi(),
    startRecordingApi(),
    startRecordingApi(),
  ]);
  notes = await startInProcessNotes({
    tools: registerTools,
    apiOrigins: [api.origin, otherApi.origin],
    runtime: { clock, fetch: observed },
  });
});

afterAll(async () => {
  await notes.close();
  await Promise.all([api, otherApi, elsewhere].map((each) => each.close()));
});

beforeEach(() => {
  notes.provider.accessTokenSeconds = LONG;
  for (const each of [api, otherApi, elsewhere]) {
    each.requests.length = 0;
    each.answer = () => ({ status: 200 });
  }
});

const LONG = 3600;
/** The tokens are refreshed after 4.5 to 5.5 seconds. */
const SHORT = 10;

/** The number of refresh requests. */
let sentRefreshes = 0;
const observed: typeof fetch = (input, init) => {
  const isRefresh = init?.body instanceof URLSearchParams && init.body.has('refresh_token');
  if (isRefresh) sentRefreshes += 1;
  return fetch(input, init);
};

/** Advances the clock until a refresh request is in flight. */
async function untilRefreshIsSent(): Promise<void> {
  const before = sentRefreshes;
  while (sentRefreshes === before) await clock.advance(100);
}

const registerTools: RegisterTools = (server, context) => {
  server.registerTool('counted_whoami', { description: 'Counts its calls.' }, async () => {
    entered++;
    const response = await context.session().fetch(new URL('/me', notes.api.origin));
    return { content: [{ type: 'text', text: await response.text() }] };
  });
  const inputSchema = z.object({
    url: z.string(),
    method: z.string().default('GET'),
    body: z.string().optional(),
    isStream: z.boolean().optional(),
  });
  server.registerTool(
    'call',
    { description: 'Calls an address.', inputSchema },
    async ({ url, method, body, isStream }) => {
      const sent = isStream
        ? { body: new Blob([body ?? '']).stream(), duplex: 'half' }
        : { ...(body !== undefined && { body }) };
      const response = await context.session().fetch(url, { method, ...sent } as RequestInit);
      return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
    },
  );
};

const clients = {
  '2025': (): Promise<RawClient> => connect2025(notes.mcp),
  '2026': async (): Promise<RawClient> => client2026(notes.mcp),
};
const eras = ['2025', '2026'] as const;

const refreshes = () => grantsOf(notes.provider, 'refresh_token');
const tokensOf = ({ answer }: Exchange) =>
  z.object({ access_token: z.string(), refresh_token: z.string() }).parse(JSON.parse(answer));
const revokedTokens = () =>
  notes.provider.exchanges
    .filter(({ path }) => path === '/token/revocation')
    .map(({ form }) => form.get('token'));

/** A client with a refresh in flight: the provider has processed it, and the response is held back. */
async function clientInRefresh<Client extends RawClient>(connecting: Promise<Client>, name: string) {
  notes.provider.accessTokenSeconds = SHORT;
  const client = await logIn(await connecting, new Browser(), name);
  notes.provider.accessTokenSeconds = LONG;
  const hold = notes.provider.holdNext('/token');
  await untilRefreshIsSent();
  await hold.isHeld;
  return { client, hold };
}

describe.each(eras)('the access token of a %s session', (era) => {
  it('[security 17] is refreshed once for simultaneous calls when it has expired', async () => {
    const { client, hold } = await clientInRefresh(clients[era](), 'alice');
    await clock.advance((SHORT * 1000) / 2);
    const { structured } = await client.call('session_status');
    expect(structured.accounts).toMatchObject([{ accessTokenExpiresInSeconds: 0 }]);
    const [sent, issued] = [refreshes().length, notes.provider.issuedTokens.length];
    entered = 0;
    const calls = Array.from({ length: 100 }, () => client.call('counted_whoami'));
    await expect.poll(() => entered).toBe(100);
    hold.release();
    for (const { text } of await Promise.all(calls))
      expect(JSON.parse(text)).toMatchObject({ subject: 'alice' });
    expect(refreshes()).toHaveLength(sent);
    expect(notes.provider.issuedTokens).toHaveLength(issued);
  });

  it('[security 19] is refreshed with the newest refresh token, and no refresh token is used twice', async () => {
    notes.provider.accessTokenSeconds = SHORT;
    const client = await logIn(await clients[era](), new Browser(), 'alice');
    for (let times = 0; times < 3; times++) {
      const isRefreshed = notes.next(({ type }) => type === 'account.refreshed');
      await untilRefreshIsSent();
      await isRefreshed;
    }
    const granted = notes.provider.exchanges.filter(
      ({ form, status }) => form.has('grant_type') && status === 200,
    );
    const own = granted.slice(-4);
    for (const [index, { form }] of own.entries()) {
      if (index > 0) expect(form.get('refresh_token')).toBe(tokensOf(own[index - 1]!).refresh_token);
    }
    expect(await client.call('whoami')).toMatchObject({ isError: false, structured: { subject: 'alice' } });
    await client.call('logout');
  });

  it('[security 22] is revoked and never used if it arrives after a logout', async () => {
    const { client, hold } = await clientInRefresh(clients[era](), 'alice');
    expect((await client.call('logout')).structured).toMatchObject({ status: 'logged_out' });
    const { access_token, refresh_token } = tokensOf(refreshes().at(-1)!);
    expect(revokedTokens()).not.toContain(refresh_token);
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    hold.release();
    await revoked;
    expect(revokedTokens()).toEqual(expect.arrayContaining([refresh_token, access_token]));
    expect(await client.call('whoami')).toMatchObject({ isError: true });
    expect(notes.events.at(-1)).toMatchObject({ type: 'account.revoked' });
  });
});

describe('tokens that arrive late', () => {
  it('[security 22] from a refresh, after a logout, do not affect the next login', async () => {
    const { client, hold } = await clientInRefresh(connect2025(notes.mcp), 'alice');
    await client.call('logout');
    await logIn(client, new Browser(), 'bob');
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    hold.release();
    await revoked;
    expect((await client.call('whoami')).structured).toMatchObject({ subject: 'bob' });
  });

  it('[security 22] from a refresh, after DELETE, are revoked', async () => {
    const { client, hold } = await clientInRefresh(connect2025(notes.mcp), 'alice');
    const ended = notes.next(({ type }) => type === 'account.revoked');
    expect((await client.end()).status).toBe(200);
    await ended;
    const { refresh_token } = tokensOf(refreshes().at(-1)!);
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    hold.release();
    await revoked;
    expect(revokedTokens()).toContain(refresh_token);
  });

  it('[security 22] from a login, after a logout, are revoked, and no user is logged in', async () => {
    const client = await connect2025(notes.mcp);
    const browser = new StepBrowser();
    const callback = await browser.logInUntilCallback(await startLogin(client), 'alice');
    const hold = notes.provider.holdNext('/token');
    const finishing = browser.request(callback);
    await hold.isHeld;
    await client.call('logout');
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    hold.release();
    expect(locationOf(await finishing, callback).pathname).toBe('/login/failed/signed_out');
    await revoked;
    expect(revokedTokens()).toContain(
      tokensOf(grantsOf(notes.provider, 'authorization_code').at(-1)!).refresh_token,
    );
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'anonymous' });
  });

  it('[security 22] from a login, after DELETE, are revoked', async () => {
    const client = await connect2025(notes.mcp);
    const browser = new StepBrowser();
    const callback = await browser.logInUntilCallback(await startLogin(client), 'alice');
    const hold = notes.provider.holdNext('/token');
    const finishing = browser.request(callback);
    await hold.isHeld;
    await client.end();
    const revoked = notes.next(({ type }) => type === 'account.revoked');
    hold.release();
    expect(locationOf(await finishing, callback).pathname).toMatch(/^\/login\/failed\//);
    await revoked;
    expect(revokedTokens()).toContain(
      tokensOf(grantsOf(notes.provider, 'authorization_code').at(-1)!).refresh_token,
    );
  });

  it('from a second browser with the same login are revoked', async () => {
    // Behind a proxy, the tokens of a login wait for the confirmation code. A second browser replaces them.
    const forwarded = { 'x-forwarded-for': '203.0.113.7' };
    const client = await connect2025(notes.mcp);
    const link = await startLogin(client);
    const [first, second] = [new StepBrowser(), new StepBrowser()];
    const firstCallback = await first.logInUntilCallback(link, 'alice');
    const hold = notes.provider.holdNext('/token');
    const finishing = first.request(firstCallback, { headers: forwarded });
    await hold.isHeld;
    const atProvider = await second.consent(link);
    hold.release();
    await finishing;
    const firstTokens = tokensOf(grantsOf(notes.provider, 'authorization_code').at(-1)!);
    const secondCallback = await second.authorize(atProvider, { username: 'mallory' });
    await second.request(secondCallback, { headers: forwarded });
    const secondTokens = tokensOf(grantsOf(notes.provider, 'authorization_code').at(-1)!);
    await client.call('logout');
    const all = [firstTokens.refresh_token, secondTokens.refresh_token];
    await expect.poll(() => revokedTokens()).toEqual(expect.arrayContaining(all));
  });
});

describe('an API that answers 401', () => {
  let client: RawClient;
  let firstToken: string | undefined;

  beforeEach(async () => {
    client = await logIn(await connect2025(notes.mcp), new Browser(), 'alice');
    await client.call('call', { url: `${api.origin}/` });
    firstToken = api.requests.at(-1)?.headers.authorization;
    api.requests.length = 0;
  });

  const refuse = (challenge?: string) => ({
    status: 401,
    headers: challenge === undefined ? {} : { 'www-authenticate': challenge },
  });

  it.each([undefined, 'Bearer', 'Bearer realm="x", error="invalid_token"'])(
    '[security 25] with %j causes one refresh, and the request is repeated with its body',
    async (challenge) => {
      const before = refreshes().length;
      api.answer = ({ headers }) =>
        headers.authorization === firstToken ? refuse(challenge) : { status: 200 };
      const answer = await client.call('call', { url: `${api.origin}/`, method: 'POST', body: 'the body' });
      expect(answer.text).toMatch(/^200/);
      expect(api.requests).toMatchObject([
        { method: 'POST', body: 'the body' },
        { method: 'POST', body: 'the body' },
      ]);
      expect(refreshes()).toHaveLength(before + 1);
    },
  );

  it('[security 25] because of missing scopes causes no refresh', async () => {
    const before = refreshes().length;
    api.answer = () => refuse('Bearer error="insufficient_scope"');
    expect((await client.call('call', { url: `${api.origin}/` })).text).toMatch(/^401/);
    expect(api.requests).toHaveLength(1);
    expect(refreshes()).toHaveLength(before);
  });

  it('[security 25] to a body that cannot be sent again causes no repetition', async () => {
    api.answer = () => refuse();
    const call = { url: `${api.origin}/`, method: 'POST', body: 'streamed', isStream: true };
    expect((await client.call('call', call)).text).toMatch(/^401/);
    expect(api.requests).toMatchObject([{ body: 'streamed' }]);
  });

  it('[security 25] to simultaneous requests causes one refresh', async () => {
    const before = refreshes().length;
    api.answer = ({ headers }) => (headers.authorization === firstToken ? refuse() : { status: 200 });
    const calls = Array.from({ length: 20 }, () => client.call('call', { url: `${api.origin}/` }));
    for (const { text } of await Promise.all(calls)) expect(text).toMatch(/^200/);
    expect(refreshes()).toHaveLength(before + 1);
  });

  it('[security 25] to every request causes one refresh, not one for every request', async () => {
    const before = refreshes().length;
    api.answer = () => refuse();
    for (let calls = 0; calls < 5; calls++) {
      expect((await client.call('call', { url: `${api.origin}/` })).text).toMatch(/^401/);
    }
    expect(refreshes()).toHaveLength(before + 1);
  });
});

describe('[security 47] an access token', () => {
  let client: RawClient;

  beforeEach(async () => {
    client = await logIn(await connect2025(notes.mcp), new Browser(), 'alice');
  });

  const redirect = (location: string, status = 307) => ({ status, headers: { location } });
  const authorizations = ({ requests }: RecordingApi) => requests.map(({ headers }) => headers.authorization);

  it('is sent to a configured origin', async () => {
    await client.call('call', { url: `${api.origin}/` });
    expect(authorizations(api)).toEqual([expect.stringMatching(/^Bearer ./)]);
  });

  it.each([
    { what: 'another origin', url: () => `${elsewhere.origin}/` },
    {
      what: 'another name of the same machine',
      url: () => `${api.origin.replace('127.0.0.1', 'localhost')}/`,
    },
    {
      what: 'an origin disguised as user info',
      url: () => `${api.origin}@${new URL(elsewhere.origin).host}/`,
    },
  ])('is not sent to $what', async ({ url }) => {
    const answer = await client.call('call', { url: url() });
    expect(answer).toMatchObject({
      isError: true,
      text: expect.stringContaining('not among the `apiOrigins` of a provider'),
    });
    expect([...api.requests, ...elsewhere.requests]).toEqual([]);
  });

  it('is sent again after a redirect within its origin', async () => {
    api.answer = ({ path }) => (path === '/' ? redirect('/next') : { status: 200 });
    await client.call('call', { url: `${api.origin}/` });
    expect(authorizations(api)).toEqual([
      expect.stringMatching(/^Bearer ./),
      expect.stringMatching(/^Bearer ./),
    ]);
  });

  it.each([
    { what: 'an unknown origin', target: () => elsewhere },
    { what: 'another configured origin', target: () => otherApi },
  ])('is not sent after a redirect to $what', async ({ target }) => {
    api.answer = () => redirect(`${target().origin}/`);
    await client.call('call', { url: `${api.origin}/` });
    expect(authorizations(target()).filter(Boolean)).toEqual([]);
  });

  it('is not sent again after a chain of redirects has left its origin', async () => {
    api.answer = ({ path }) => (path === '/' ? redirect(`${elsewhere.origin}/`) : { status: 200 });
    elsewhere.answer = () => redirect(`${api.origin}/chosen-elsewhere`);
    await client.call('call', { url: `${api.origin}/` });
    const chosen = api.requests.filter(({ path }) => path === '/chosen-elsewhere');
    expect(chosen.map(({ headers }) => headers.authorization).filter(Boolean)).toEqual([]);
  });
});
