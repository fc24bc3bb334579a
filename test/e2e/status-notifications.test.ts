import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions, SESSION_META_KEY, STATUS_URI } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { JSON_HEADERS, messageOf, request2026 } from '../support/raw-mcp.js';

const PUBLIC_URL = 'http://127.0.0.1:3000';
const UPDATED = 'notifications/resources/updated';
const MINUTE_MS = 60_000;

type Era = '2025' | '2026';

/** A logged-in client that listens to its status. The test controls clock and provider. */
async function listening(era: Era, accessTokenSeconds: number) {
  const clock = new VirtualClock();
  const provider = new FaultingProvider();
  provider.accessTokenSeconds = accessTokenSeconds;
  const sessions = createSessions({
    server: { name: 'test', version: '1' },
    publicUrl: PUBLIC_URL,
    providers: provider.options,
    lifetimes: { absoluteMs: 60 * MINUTE_MS, shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: () => undefined,
  });
  onTestFinished(() => sessions.close());
  const fetch = async (init: RequestInit) => sessions.handleRequest(new Request(`${PUBLIC_URL}/mcp`, init));
  let session = '';
  const headers = (): Record<string, string> =>
    session === '' ? { ...JSON_HEADERS } : { ...JSON_HEADERS, 'mcp-session-id': session };
  const ask = async (method: string, params: Record<string, unknown>) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const response = await fetch(
      era === '2025' ? { method: 'POST', headers: headers(), body } : inEra2026(method, params),
    );
    const text = await response.text();
    if (era === '2025' && method === 'initialize') session = response.headers.get('mcp-session-id') ?? '';
    return messageOf({ status: response.status, headers: Object.fromEntries(response.headers), text }).result;
  };
  const inEra2026 = (method: string, params: Record<string, unknown>): RequestInit => {
    const { headers = {}, body = '' } = request2026(method, params, {
      meta: session === '' ? {} : { [SESSION_META_KEY]: session },
    });
    return { method: 'POST', headers, body };
  };
  const call = async (name: string, args: Record<string, unknown> = {}) => {
    const { structuredContent } = (await ask('tools/call', { name, arguments: args })) ?? {};
    const result: Record<string, unknown> = structuredContent ?? {};
    if (era === '2026' && typeof result.session === 'string') ({ session } = result as { session: string });
    return result;
  };

  if (era === '2025') {
    const clientInfo = { name: 'test', version: '1' };
    await ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo });
  }
  const { loginUrl } = await call('login');
  const { code } = await logIn(sessions, loginUrl, { provider, user: 'alice' });
  await call('login', { code });
  if (era === '2025') await ask('resources/subscribe', { uri: STATUS_URI });
  const stream = await fetch(
    era === '2025'
      ? { headers: headers() }
      : inEra2026('subscriptions/listen', { notifications: { resourceSubscriptions: [STATUS_URI] } }),
  );
  let updates = 0;
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      updates += next.value.split(UPDATED).length - 1;
      // A present client answers pings.
      for (const [, id] of next.value.matchAll(/"id":"(ping-\d+)"/g)) {
        const body = JSON.stringify({ jsonrpc: '2.0', id, result: {} });
        await fetch({ method: 'POST', headers: headers(), body });
      }
    }
  };
  void read();
  await clock.advance(0);
  /** The number of updates while the clock advanced. */
  const during = async (durationMs: number) => {
    const before = updates;
    await clock.advance(durationMs);
    return updates - before;
  };
  return { provider, during, status: () => call('session_status') };
}

describe.each(['2025', '2026'] as const)('a %s client that listens to its status', (era) => {
  it('is notified of a refresh', async () => {
    const { during, status } = await listening(era, 600);
    expect(await during(7 * MINUTE_MS)).toBe(0);
    expect(await during(2 * MINUTE_MS)).toBe(1);
    expect(await status()).toMatchObject({ state: 'authenticated' });
  });

  it('is notified when the user has to log in again', async () => {
    const { provider, during, status } = await listening(era, 600);
    provider.failNext('token', { status: 400, body: '{"error":"invalid_grant"}' });
    expect(await during(9 * MINUTE_MS)).toBe(1);
    expect(await status()).toMatchObject({
      state: 'reauthentication_required',
      accounts: [{ reason: 'grant_revoked' }],
      next: expect.stringMatching(/Call `login` with provider "provider"/),
    });
  });

  it('is notified of a failed refresh, and of the next successful one', async () => {
    const { provider, during, status } = await listening(era, 600);
    for (let tries = 0; tries < 3; tries++) provider.failNext('token', { status: 503 });
    expect(await during(9 * MINUTE_MS + 30_000)).toBe(2);
    expect(await status()).toMatchObject({ state: 'authenticated' });
  });

  it('is notified before its login reaches the absolute lifetime, and when it does', async () => {
    const { during } = await listening(era, 2 * 60 * 60);
    expect(await during(54 * MINUTE_MS)).toBe(0);
    expect(await during(2 * MINUTE_MS)).toBe(1);
    expect(await during(5 * MINUTE_MS)).toBe(1);
  });
});
