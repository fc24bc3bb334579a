import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import {
  FaultingProvider,
  logIn,
  type ProviderFault,
  SeededRandom,
  VirtualClock,
} from '../../packages/sessions/src/testing/index.js';
import { call2025, JSON_HEADERS, messageOf, type RpcMessage } from '../support/raw-mcp.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const TOKEN_SECONDS = 600;
const API = 'https://api.test';
const ENDPOINT = 'http://127.0.0.1:3000/mcp';

/** A request to the provider's token or revocation endpoint. */
interface Asked {
  readonly atMs: number;
  readonly path: string;
  readonly form: URLSearchParams;
}

interface Client {
  call(tool: string, args?: Record<string, unknown>): Promise<NonNullable<RpcMessage['result']>>;
  textOf(tool: string): Promise<string>;
}

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A server and its provider in this process, with time in the hands of the test. */
function start({ refresh, delaySeconds = 0 }: { refresh?: typeof fetch; delaySeconds?: number } = {}) {
  const clock = new VirtualClock();
  const asked: Asked[] = [];
  const issuedAtMs = new Map<string, number>();
  const elsewhere: string[] = [];
  /** Uses of tokens that had run out. */
  const expiredUses: string[] = [];
  let inFlight = 0;
  const load = { mostInFlight: 0 };

  const provider: FaultingProvider = new FaultingProvider(async (input, init) => {
    const url = new URL(String(input));
    if (url.origin !== API) {
      elsewhere.push(url.href);
      return new Response(null, { status: 404 });
    }
    const token = new Headers(init?.headers).get('authorization')?.replace('Bearer ', '') ?? '';
    if (clock.now() > (issuedAtMs.get(token) ?? 0) + TOKEN_SECONDS * SECOND) expiredUses.push(token);
    const user = provider.userOf(token);
    return new Response(user ?? '', { status: user ? 200 : 401 });
  });
  const observed: typeof fetch = async (input, init) => {
    const url = new URL(String(input));
    if (!(init?.body instanceof URLSearchParams)) return provider.fetch(input, init);
    const isRefresh = init.body.get('grant_type') === 'refresh_token';
    asked.push({ atMs: clock.now(), path: url.pathname, form: init.body });
    load.mostInFlight = Math.max(load.mostInFlight, ++inFlight);
    try {
      if (isRefresh && delaySeconds > 0)
        await new Promise<void>((resolve) => clock.after(delaySeconds * SECOND, resolve));
      const response = await (isRefresh && refresh ? refresh(input, init) : provider.fetch(input, init));
      if (url.pathname === '/token' && response.ok) void noteTokens(response.clone());
      return response;
    } finally {
      inFlight--;
    }
  };
  const noteTokens = async (response: Response) => {
    const { data } = z.object({ access_token: z.string() }).safeParse(await response.json().catch(() => {}));
    if (data) issuedAtMs.set(data.access_token, clock.now());
  };

  const sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    provider: provider.options,
    apiOrigins: [API],
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: observed, clock, random: new SeededRandom(20).bytes },
    tools: (server, current) => {
      server.registerTool('who', { description: 'Says who is logged in' }, async () => {
        const response = await current.current().fetch(`${API}/me`);
        return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
      });
    },
  });
  stops.push(() => sessions.close());
  const events: SessionEvent[] = [];
  sessions.subscribe((event) => events.push(event));
  const troubles = () =>
    events.flatMap((event) => (event.type === 'account.reauthentication_required' ? [event.trouble] : []));
  const refreshes = () => asked.filter(({ form }) => form.get('grant_type') === 'refresh_token');
  /** Lets time pass until so many refreshes were asked for. */
  const untilAsked = async (times: number) => {
    const endMs = clock.now() + TOKEN_SECONDS * SECOND;
    while (refreshes().length < times && clock.now() < endMs) await clock.advance(100);
    expect(refreshes()).toHaveLength(times);
  };
  /** Lets a second pass, unless a request is under way that takes real time, and looks. */
  const passing =
    <Seen>(look: () => Seen) =>
    async () => {
      if (inFlight === 0) await clock.advance(SECOND);
      return look();
    };
  const revoked = () =>
    asked.filter(({ path }) => path === '/revocation').map(({ form }) => form.get('token'));
  return {
    clock,
    provider,
    sessions,
    events,
    troubles,
    refreshes,
    untilAsked,
    passing,
    revoked,
    elsewhere,
    expiredUses,
    load,
  };
}

/** A client of the 2025 revision, without a network, in which that user is logged in. */
async function loggedIn(sessions: Sessions, provider: FaultingProvider, user: string): Promise<Client> {
  let headers: Record<string, string> = JSON_HEADERS;
  const post = (body: string) => sessions.fetch(new Request(ENDPOINT, { method: 'POST', headers, body }));
  const clientInfo = { name: 'test', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const initialized = await post(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
  await initialized.text();
  headers = { ...headers, 'mcp-session-id': initialized.headers.get('mcp-session-id') ?? '' };
  const call: Client['call'] = async (tool, args) => {
    const response = await post(call2025(tool, args));
    const answer = {
      status: response.status,
      headers: Object.fromEntries(response.headers),
      text: await response.text(),
    };
    const { result } = messageOf(answer);
    if (!result) throw new Error(`${answer.status}: ${answer.text}`);
    return result;
  };
  const { loginUrl } = (await call('login')).structuredContent;
  const { code } = await logIn(sessions, String(loginUrl), provider, user);
  await call('login', { code });
  return { call, textOf: async (tool) => (await call(tool)).content[0]?.text ?? '' };
}

/** Lets time pass a second at a time, as calls that came meanwhile need it. */
async function pass(clock: VirtualClock, seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second++) await clock.advance(SECOND);
}

describe('ten minutes without the provider', () => {
  const USERS = 50;
  const OUTAGE_SECONDS = 600;
  /** How often every user calls. */
  const CALL_SECONDS = 20;

  const outages: [string, ProviderFault, number, number?][] = [
    ['connections refused', 'refused', 0],
    ['429', { status: 429 }, 0],
    ['429 with Retry-After', { status: 429, retryAfterSeconds: 90 }, 90],
    ['429 with a short Retry-After', { status: 429, retryAfterSeconds: 2 }, 2],
    ['500', { status: 500, body: '<h1>Oops</h1>', headers: { 'content-type': 'text/html' } }, 0],
    ['503 with Retry-After', { status: 503, retryAfterSeconds: 45 }, 45],
    ['500 after five seconds', { status: 500 }, 0, 5],
  ];

  it.each(outages)(
    'lose no login, let every call know when to come back, and ask little: %s [security 20]',
    async (_what, fault, retryAfterSeconds, delaySeconds = 0) => {
      const { clock, provider, sessions, events, troubles, refreshes, expiredUses, load } = start({
        delaySeconds,
      });
      const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
      const clients: Client[] = [];
      for (const user of users) {
        clients.push(await loggedIn(sessions, provider, user));
        await clock.advance(4 * SECOND);
      }
      // Every access token runs out within the outage, and is due to be renewed in it.
      await clock.advance(200 * SECOND);
      const before = refreshes().length;
      expect(before).toBe(0);
      load.mostInFlight = 0;
      provider.failUntilMended('token', fault);

      const seen = { served: 0, told: 0 };
      for (let second = 0; second < OUTAGE_SECONDS; second += CALL_SECONDS) {
        const calling = Promise.all(clients.map((client) => client.textOf('who')));
        await pass(clock, CALL_SECONDS);
        for (const [index, text] of (await calling).entries()) {
          if (text === `200 ${users[index]}`) seen.served++;
          else {
            expect(text).toMatch(/cannot be reached.*The login is kept; try again in \d+ seconds\./);
            seen.told++;
          }
        }
      }
      expect(seen.served).toBeGreaterThan(USERS);
      expect(seen.told).toBeGreaterThan(USERS);
      expect(expiredUses).toEqual([]);
      expect(troubles()).toEqual([]);

      // Until the breaker opens: four failures, and what was under way when the fifth came, never more than
      // 50. From then on one probe in 30 seconds, each of which opens it anew.
      expect(load.mostInFlight).toBeLessThanOrEqual(50);
      const most = 4 + load.mostInFlight + OUTAGE_SECONDS / 30;
      expect(refreshes().length).toBeLessThanOrEqual(most);
      expect(refreshes().length).toBeGreaterThan(5);

      // The last probe may have been a moment ago, and a session may have heard of that at the last moment:
      // the pause of the breaker, or the provider's, and the longest pause of a session. Then the next probe
      // is answered, and those that waited for it.
      provider.mend();
      const told = events.length;
      await pass(clock, Math.max(30, retryAfterSeconds) + 30 + 2 * delaySeconds);
      const refreshed = events.slice(told).filter(({ type }) => type === 'account.refreshed');
      expect(refreshed).toHaveLength(USERS);
      const answers = await Promise.all(clients.map((client) => client.textOf('who')));
      expect(answers).toEqual(users.map((user) => `200 ${user}`));
      expect(provider.livingUsers()).toEqual(users);
      expect(provider.reuses).toBe(0);
      expect(troubles()).toEqual([]);
    },
    120_000,
  );
});

describe('a connection that is reset after the refresh was sent', () => {
  /** A server that takes whole requests, and then tears down the connection instead of answering. */
  async function startTearing() {
    const bodies: string[] = [];
    const server = createServer(async (request) => {
      bodies.push(await text(request));
      request.socket.resetAndDestroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.push(() => new Promise((resolve) => server.close(resolve)));
    // Only a server on a pipe has an address of another kind.
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/token`, bodies };
  }

  it('is sent once more, and then the user has to log in again [security 20]', async () => {
    const { url, bodies } = await startTearing();
    const { clock, provider, sessions, troubles, passing } = start({
      refresh: (_input, init) => fetch(url, init),
    });
    const client = await loggedIn(sessions, provider, 'alice');
    await clock.advance(500 * SECOND);
    await expect.poll(passing(troubles)).toEqual(['refresh_lost']);
    expect(bodies).toHaveLength(2);
    expect(new Set(bodies).size).toBe(1);
    expect(bodies[0]).toContain('grant_type=refresh_token');
    expect(await client.textOf('who')).toContain('Call the `login` tool');
    expect((await client.call('session_status')).structuredContent).toMatchObject({
      accounts: [{ state: 'reauthentication_required', reason: 'refresh_lost' }],
    });
    await pass(clock, 60);
    expect(bodies).toHaveLength(2);
  });

  it('does no harm if it was not carried out and the second one is [security 20]', async () => {
    const { url, bodies } = await startTearing();
    const { clock, provider, sessions, events, troubles, passing } = start({
      refresh: (input, init) => (bodies.length === 0 ? fetch(url, init) : provider.fetch(input, init)),
    });
    const client = await loggedIn(sessions, provider, 'alice');
    await clock.advance(500 * SECOND);
    const refreshed = expect.objectContaining({ type: 'account.refreshed' });
    await expect.poll(passing(() => events)).toContainEqual(refreshed);
    expect(troubles()).toEqual([]);
    await clock.advance(200 * SECOND);
    expect(await client.textOf('who')).toBe('200 alice');
  });
});

describe('an answer that comes a byte at a time', () => {
  /** One byte each second. */
  const dripping = (clock: VirtualClock) => async (answer: Response) => {
    const bytes = new Uint8Array(await answer.arrayBuffer());
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const drip = (index: number) => {
          if (index === bytes.length) controller.close();
          else {
            controller.enqueue(bytes.slice(index, index + 1));
            clock.after(SECOND, () => drip(index + 1));
          }
        };
        drip(0);
      },
    });
    return new Response(body, { status: answer.status, headers: answer.headers });
  };

  it('counts as lost after 30 seconds, and its tokens are revoked when they are there [security 20, 22]', async () => {
    const { clock, provider, sessions, troubles, refreshes, revoked, untilAsked } = start();
    const client = await loggedIn(sessions, provider, 'alice');
    let late = '';
    provider.failNext('token', async (answer) => {
      late = await answer.clone().text();
      return dripping(clock)(answer);
    });
    // The request that is sent again is not answered either.
    provider.failNext('token', () => new Promise(() => undefined));
    await untilAsked(1);
    const [first] = refreshes();
    const sentAtMs = first?.atMs ?? 0;
    await clock.advance(sentAtMs + 30 * SECOND - 1 - clock.now());
    expect(refreshes()).toHaveLength(1);
    await pass(clock, 3);
    expect(refreshes()).toHaveLength(2);
    expect(refreshes()[1]?.atMs).toBeGreaterThanOrEqual(sentAtMs + 30 * SECOND);
    expect(troubles()).toEqual([]);
    await pass(clock, 32);
    expect(troubles()).toEqual(['refresh_lost']);
    expect(await client.textOf('who')).toContain('Call the `login` tool');

    const tokens = z.object({ access_token: z.string(), refresh_token: z.string() }).parse(JSON.parse(late));
    expect(revoked()).not.toContain(tokens.refresh_token);
    await pass(clock, late.length);
    expect(revoked().slice(-2)).toEqual([tokens.refresh_token, tokens.access_token]);
    expect(refreshes()).toHaveLength(2);
  });

  it('is taken if it is there within 30 seconds', async () => {
    const { clock, provider, sessions, events, refreshes } = start();
    const client = await loggedIn(sessions, provider, 'alice');
    provider.failNext('token', async (answer) => {
      await new Promise<void>((resolve) => clock.after(29 * SECOND, resolve));
      return answer;
    });
    await clock.advance(550 * SECOND);
    expect(events.filter(({ type }) => type === 'account.refreshed')).toHaveLength(1);
    expect(refreshes()).toHaveLength(1);
    await clock.advance(100 * SECOND);
    expect(await client.textOf('who')).toBe('200 alice');
  });
});

describe('an answer that is no token answer', () => {
  const html = { body: '<html>Sign in</html>', headers: { 'content-type': 'text/html' } };
  const elsewhere = { location: 'https://elsewhere.test/token' };

  it.each<[string, ProviderFault, number, object]>([
    ['a redirect', { status: 302, headers: elsewhere }, 1, { reason: 'provider_refused' }],
    ['a redirect of the body, too', { status: 307, headers: elsewhere }, 1, { reason: 'provider_refused' }],
    ['403 of a firewall, in HTML', { status: 403, ...html }, 1, { reason: 'provider_refused' }],
    ['502 in HTML', { status: 502, ...html }, 3, { reason: 'provider_unavailable' }],
  ])('keeps the login, which works again when the provider does: %s [security 20]', async (...row) => {
    const [, fault, tries, status] = row;
    const { clock, provider, sessions, elsewhere, refreshes, troubles, untilAsked } = start();
    const client = await loggedIn(sessions, provider, 'alice');
    for (let number = 0; number < tries; number++) provider.failNext('token', fault);
    await untilAsked(tries);
    const { accounts } = (await client.call('session_status')).structuredContent;
    expect(accounts).toMatchObject([{ state: 'authenticated', ...status }]);
    expect(await client.textOf('who')).toBe('200 alice');
    await clock.advance(2 * MINUTE);
    expect(await client.textOf('who')).toBe('200 alice');
    expect(refreshes()).toHaveLength(tries + 1);
    expect((await client.call('session_status')).structuredContent.accounts).toMatchObject([
      { state: 'authenticated', nextRefreshInSeconds: expect.any(Number) },
    ]);
    expect(elsewhere).toEqual([]);
    expect(troubles()).toEqual([]);
  });

  it.each<[string, ProviderFault, number, string]>([
    ['200 in HTML, twice', { status: 200, ...html }, 2, 'refresh_lost'],
    ['200 with nothing, twice', { status: 200 }, 2, 'refresh_lost'],
    ['400 in HTML', { status: 400, ...html }, 1, 'grant_revoked'],
  ])('ends the login: %s [security 20, 21]', async (_what, fault, times, trouble) => {
    const { clock, provider, sessions, refreshes, troubles } = start();
    const client = await loggedIn(sessions, provider, 'alice');
    for (let number = 0; number < times; number++) provider.failNext('token', fault);
    await clock.advance(550 * SECOND);
    expect(troubles()).toEqual([trouble]);
    expect(refreshes()).toHaveLength(times);
    expect(await client.textOf('who')).toContain('Call the `login` tool');
  });
});
