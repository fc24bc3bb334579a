import { describe, expect, it, onTestFinished } from 'vitest';
import { createSessions, type ProviderOptions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { type InMemoryClient, inMemory2025, inMemory2026, reachedFrom } from '../support/in-memory-client.js';

const ORIGIN = 'http://127.0.0.1:3000';
const FROM_PROVIDER = { origin: 'https://provider.test' };
const ERAS = ['2025', '2026'] as const;

/** A server with two providers, the second of which posts its responses. */
async function start(second: Partial<ProviderOptions> = { responseMode: 'form_post' }) {
  const clock = new VirtualClock();
  const first = new FaultingProvider();
  const posting = new FaultingProvider({
    name: 'posting',
    issuer: 'https://posting.test',
    fetch: first.fetch,
  });
  const sessions = createSessions({
    server: { name: 'notes', version: '1.0.0' },
    publicUrl: ORIGIN,
    providers: [first.options, { ...posting.options, ...second }],
    limits: { invalidLoginRequestsPerMinute: 20 },
    runtime: { fetch: posting.fetch, clock },
    tools: () => undefined,
  });
  onTestFinished(() => sessions.close({ drainMs: 0 }));
  const remote = reachedFrom(sessions, '192.0.2.1');
  const post = (path: string, body: string, headers: Record<string, string> = FROM_PROVIDER) =>
    remote.handleRequest(
      new Request(`${ORIGIN}${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body,
      }),
    );
  const clientOf = async (era: '2025' | '2026'): Promise<InMemoryClient> =>
    era === '2025' ? inMemory2025(sessions) : inMemory2026(sessions);
  return { sessions, posting, post, clientOf };
}

const PATH = '/login/callback/posting';

describe('an authorization response that the page of a provider posts', () => {
  it.each(ERAS)('completes the login (%s)', async (era) => {
    const { sessions, posting, clientOf } = await start();
    const client = await clientOf(era);
    const args = { provider: 'posting' };
    const { loginUrl, session } = (await client.call('login', args)).structured;
    const named = { ...args, ...(session !== undefined && { session }) };
    const { code } = await logIn(sessions, loginUrl, { provider: posting, user: 'alice' });
    expect((await client.call('login', { ...named, code })).structured).toMatchObject({
      status: 'authenticated',
      account: { provider: 'posting', subject: 'alice' },
    });
  });

  it('is redirected to the same path with the fields that the server reads, and no others', async () => {
    const { post } = await start({ responseMode: 'form_post', callbackFields: ['realmId'] });
    const fields = {
      code: 'c d',
      state: 's',
      user: '{"email":"a@b.c"}',
      id_token: 'jwt',
      realmId: '7',
      iss: 'i',
    };
    const answer = await post(PATH, String(new URLSearchParams(fields)));
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe(`${PATH}?code=c+d&state=s&realmId=7&iss=i`);
    expect(answer.headers.getSetCookie()).toEqual([]);
  });

  it('is refused with duplicate fields, and if it is too large', async () => {
    const { post } = await start();
    expect((await post(PATH, 'code=a&code=b&state=s')).status).toBe(400);
    expect((await post(PATH, `code=${'x'.repeat(17 * 1024)}`)).status).toBe(413);
  });

  it('may come from every origin; other requests of that origin are refused', async () => {
    const { post } = await start();
    for (const origin of ['https://provider.test', 'null', 'https://evil.test'])
      expect((await post(PATH, 'code=a&state=s', { origin })).status).toBe(303);
    for (const path of ['/mcp', '/callback', '/connect/x', '/login/callback/provider', `${PATH}/`])
      expect((await post(path, 'code=a&state=s')).status).toBe(403);
  });

  it('has no route at a provider that uses the query', async () => {
    const { post } = await start({});
    expect((await post(PATH, 'code=a&state=s')).status).toBe(403);
    expect((await post(PATH, 'code=a&state=s', {})).status).toBe(404);
  });

  it('is limited by address, unless its state is that of a pending login [security 41]', async () => {
    const { post, posting, clientOf, sessions } = await start();
    const client = await clientOf('2025');
    const { loginUrl } = (await client.call('login', { provider: 'posting' })).structured;
    const link = String(loginUrl);
    const connect = await sessions.handleRequest(new Request(link));
    const form = /name="form" value="([^"]*)"/.exec(await connect.text())?.[1] ?? '';
    const cookie = connect.headers
      .getSetCookie()
      .map((line) => line.split(';', 1)[0])
      .join('; ');
    const consented = await sessions.handleRequest(
      new Request(link, {
        method: 'POST',
        headers: { cookie, origin: ORIGIN },
        body: new URLSearchParams({ form, action: 'continue' }),
      }),
    );
    const { callback } = posting.authorizationResponse(consented.headers.get('location') ?? '', 'alice');
    const statuses = new Set<number>();
    for (let sent = 0; sent < 30; sent++) statuses.add((await post(PATH, 'code=a&state=unknown')).status);
    expect([...statuses]).toEqual([303, 429]);
    expect((await post(PATH, String(callback.searchParams))).status).toBe(303);
  });
});
