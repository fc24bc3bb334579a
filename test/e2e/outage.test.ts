import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import type { ProviderFault, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { expectNoLoginLost } from './long-outage.js';
import { loggedIn, pass, SECOND, start } from './outage-setup.js';

const MINUTE = 60 * SECOND;

it('ten minutes of refused connections lose no login, and cause few requests [security 20]', () =>
  expectNoLoginLost({ fault: 'refused', users: 10 }));

describe('a refresh whose connection is reset', () => {
  /** A server that reads whole requests, and then resets the connection. */
  async function startTearing() {
    const bodies: string[] = [];
    const server = createServer(async (request) => {
      bodies.push(await text(request));
      request.socket.resetAndDestroy();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => new Promise<void>((resolve) => server.close(() => resolve())));
    // The address of a listening TCP server is an AddressInfo.
    const { port } = server.address() as AddressInfo;
    return { url: `http://127.0.0.1:${port}/token`, bodies };
  }

  it('is sent once more, then the user has to log in again [security 20]', async () => {
    const { url, bodies } = await startTearing();
    const { clock, provider, sessions, failureReasons, passing } = start({
      refresh: (_input, init) => fetch(url, init),
    });
    const client = await loggedIn(sessions, provider, 'alice');
    await clock.advance(500 * SECOND);
    await expect.poll(passing(failureReasons)).toEqual(['refresh_lost']);
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

  it('succeeds the second time if the provider did not process the first [security 20]', async () => {
    const { url, bodies } = await startTearing();
    const { clock, provider, sessions, events, failureReasons, passing } = start({
      refresh: (input, init) => (bodies.length === 0 ? fetch(url, init) : provider.fetch(input, init)),
    });
    const client = await loggedIn(sessions, provider, 'alice');
    await clock.advance(500 * SECOND);
    const refreshed = expect.objectContaining({ type: 'account.refreshed' });
    await expect.poll(passing(() => events)).toContainEqual(refreshed);
    expect(failureReasons()).toEqual([]);
    await clock.advance(200 * SECOND);
    expect(await client.textOf('who')).toBe('200 alice');
  });
});

describe('a token response that arrives byte by byte', () => {
  /** One byte per second. */
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

  it('counts as lost after 30 seconds, and its tokens are revoked when it is complete [security 20, 22]', async () => {
    const { clock, provider, sessions, failureReasons, refreshes, revoked, untilAsked } = start();
    const client = await loggedIn(sessions, provider, 'alice');
    let late = '';
    provider.failNext('token', async (answer) => {
      late = await answer.clone().text();
      return dripping(clock)(answer);
    });
    // The repeated request gets no response either.
    provider.failNext('token', () => new Promise(() => undefined));
    await untilAsked(1);
    const [first] = refreshes();
    const sentAtMs = first?.atMs ?? 0;
    await clock.advance(sentAtMs + 30 * SECOND - 1 - clock.now());
    expect(refreshes()).toHaveLength(1);
    await pass(clock, 3);
    expect(refreshes()).toHaveLength(2);
    expect(refreshes()[1]?.atMs).toBeGreaterThanOrEqual(sentAtMs + 30 * SECOND);
    expect(failureReasons()).toEqual([]);
    await pass(clock, 32);
    expect(failureReasons()).toEqual(['refresh_lost']);
    expect(await client.textOf('who')).toContain('Call the `login` tool');

    const tokens = z.object({ access_token: z.string(), refresh_token: z.string() }).parse(JSON.parse(late));
    expect(revoked()).not.toContain(tokens.refresh_token);
    await pass(clock, late.length);
    expect(revoked().slice(-2)).toEqual([tokens.refresh_token, tokens.access_token]);
    expect(refreshes()).toHaveLength(2);
  });

  it('is accepted within 30 seconds', async () => {
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

describe('a response that is not a token response', () => {
  const html = { body: '<html>Sign in</html>', headers: { 'content-type': 'text/html' } };
  const elsewhere = { location: 'https://elsewhere.test/token' };

  it.each<[string, ProviderFault, number, object]>([
    ['a redirect', { status: 302, headers: elsewhere }, 1, { reason: 'provider_refused' }],
    ['a redirect of the body, too', { status: 307, headers: elsewhere }, 1, { reason: 'provider_refused' }],
    ['403 of a firewall', { status: 403, body: 'Forbidden' }, 1, { reason: 'provider_refused' }],
    ['403 of a firewall, in HTML', { status: 403, ...html }, 3, { reason: 'provider_unavailable' }],
    ['200 of a maintenance page', { status: 200, ...html }, 3, { reason: 'provider_unavailable' }],
    ['400 of a load balancer, in HTML', { status: 400, ...html }, 3, { reason: 'provider_unavailable' }],
    ['502 in HTML', { status: 502, ...html }, 3, { reason: 'provider_unavailable' }],
  ])('keeps the login, which works again when the provider does: %s [security 20]', async (...row) => {
    const [, fault, tries, status] = row;
    const { clock, provider, sessions, elsewhere, refreshes, failureReasons, untilAsked } = start();
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
    expect(failureReasons()).toEqual([]);
  });

  it.each<[string, ProviderFault, number, string]>([
    ['200 with nothing, twice', { status: 200 }, 2, 'refresh_lost'],
    ['400 with nothing', { status: 400 }, 1, 'grant_revoked'],
    ['400 with plain text', { status: 400, body: 'Bad Request' }, 1, 'grant_revoked'],
  ])('ends the login: %s [security 20, 21]', async (_what, fault, times, failureReason) => {
    const { clock, provider, sessions, refreshes, failureReasons } = start();
    const client = await loggedIn(sessions, provider, 'alice');
    for (let number = 0; number < times; number++) provider.failNext('token', fault);
    await clock.advance(550 * SECOND);
    expect(failureReasons()).toEqual([failureReason]);
    expect(refreshes()).toHaveLength(times);
    expect(await client.textOf('who')).toContain('Call the `login` tool');
  });
});
