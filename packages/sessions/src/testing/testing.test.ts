import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type Sessions } from '../index.js';
import { FaultingProvider, logIn, VirtualClock } from './index.js';

const ENDPOINT = 'http://127.0.0.1:3000/mcp';
const accept = 'application/json, text/event-stream';
const answerSchema = z.object({
  result: z.object({
    isError: z.boolean().default(false),
    content: z.array(z.object({ text: z.string() })),
    structuredContent: z.record(z.string(), z.unknown()).default({}),
  }),
});

/** A 2025 client over web-standard requests, without a network. */
async function connect(sessions: Sessions) {
  const headers: Record<string, string> = { 'content-type': 'application/json', accept };
  const post = (message: object) => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...message });
    return sessions.handleRequest(new Request(ENDPOINT, { method: 'POST', headers, body }));
  };
  const clientInfo = { name: 'test', version: '1.0.0' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const initialized = await post({ method: 'initialize', params });
  headers['mcp-session-id'] = initialized.headers.get('mcp-session-id') ?? '';
  await initialized.text();
  return async (name: string, args: object = {}) => {
    const response = await post({ method: 'tools/call', params: { name, arguments: args } });
    const data = /^data: (\{.*)$/m.exec(await response.text())?.[1] ?? '{}';
    return answerSchema.parse(JSON.parse(data)).result;
  };
}

let sessions: Sessions;
afterEach(() => sessions.close());

function start(clock?: VirtualClock) {
  const provider: FaultingProvider = new FaultingProvider(async (_url, init) => {
    const token = new Headers(init?.headers).get('authorization')?.replace('Bearer ', '') ?? '';
    return new Response(provider.userOf(token) ?? '', { status: provider.userOf(token) ? 200 : 401 });
  });
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    publicUrl: 'http://127.0.0.1:3000',
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, ...(clock && { clock }) },
    tools: (server, context) => {
      server.registerTool('who', { description: 'Says who is logged in' }, async () => {
        const response = await context.session().fetch('https://api.test/me');
        return { content: [{ type: 'text', text: `${response.status} ${await response.text()}` }] };
      });
    },
  });
  return provider;
}

async function logInAs(user: string, provider: FaultingProvider) {
  const call = await connect(sessions);
  const { loginUrl } = (await call('login')).structuredContent;
  const { code } = await logIn(sessions, String(loginUrl), provider, user);
  const finished = await call('login', { code });
  return { call, finished };
}

describe('a server under test, without a network', () => {
  it('logs clients in as their own users', async () => {
    const provider = start();
    const alice = await logInAs('alice', provider);
    const bob = await logInAs('bob', provider);
    expect(alice.finished.structuredContent).toMatchObject({ account: { subject: 'alice' } });
    expect((await alice.call('who')).content[0]?.text).toBe('200 alice');
    expect((await bob.call('who')).content[0]?.text).toBe('200 bob');
    await alice.call('logout');
    expect(provider.livingUsers()).toEqual(['bob']);
  });

  it('refreshes when its clock says so, and survives what the provider is told to do', async () => {
    const clock = new VirtualClock();
    const provider = start(clock);
    const { call } = await logInAs('alice', provider);
    provider.failNext('token', { status: 503 });
    await clock.advance(601_000);
    expect((await call('who')).content[0]?.text).toBe('200 alice');
    expect(provider.requests.token).toBeGreaterThanOrEqual(3);
    expect(provider.reuses).toBe(0);
  });

  it('asks for a new login when a provider takes the retry of a lost refresh for a theft [security 20]', async () => {
    const clock = new VirtualClock();
    const provider = start(clock);
    const { call } = await logInAs('alice', provider);
    provider.failNext('token', 'lost');
    await clock.advance(601_000);
    expect((await call('who')).content[0]?.text).toContain('Call the `login` tool');
    expect(provider.reuses).toBe(1);
    expect((await call('session_status')).structuredContent).toMatchObject({
      state: 'reauthentication_required',
    });
  });

  it('does not start a login at a provider that is not there', async () => {
    const provider = start();
    provider.failNext('discovery', 'refused');
    const call = await connect(sessions);
    expect(await call('login')).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/cannot be reached/) }],
    });
  });

  it('gives up on a provider that hangs, when its clock says so', async () => {
    const clock = new VirtualClock();
    const provider = start(clock);
    const call = await connect(sessions);
    provider.failNext('token', () => new Promise(() => undefined));
    const { loginUrl } = (await call('login')).structuredContent;
    const browsing = logIn(sessions, String(loginUrl), provider, 'alice');
    await expect.poll(() => provider.requests.token).toBe(1);
    await clock.advance(10_000);
    expect((await browsing).code).toBeUndefined();
    expect((await call('login')).content[0]?.text).toContain('could not be reached');
  });

  it('meets the same fault until that is mended', async () => {
    const clock = new VirtualClock();
    const provider = start(clock);
    const call = await connect(sessions);
    provider.failUntilMended('discovery', { status: 503, headers: { 'content-type': 'text/html' } });
    for (let tries = 1; tries <= 2; tries++) {
      expect((await call('login')).content[0]?.text).toContain('cannot be reached');
      expect(provider.requests.discovery).toBe(tries);
      await clock.advance(2000);
    }
    provider.mend();
    expect((await call('login')).structuredContent).toMatchObject({ status: 'pending' });
  });
});
