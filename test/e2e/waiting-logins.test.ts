import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createSessions,
  type SessionEvent,
  type SessionsOptions,
} from '../../packages/sessions/src/index.js';
import { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { connectEliciting, type OpenAddress } from '../support/eliciting-clients.js';
import { client2026, connect2025, messageOf, request2026, send } from '../support/raw-mcp.js';
import { StepBrowser } from '../support/step-browser.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const KINDS_OF_2025 = ['SDK 1.x', 'SDK 2.x in 2025'] as const;

/** A server whose clock and provider the test controls. */
async function setUp(options: Partial<SessionsOptions> = {}) {
  const clock = new VirtualClock();
  const provider = new FaultingProvider();
  const sessions = createSessions({
    server: { name: 'test', version: '1' },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: () => undefined,
    ...options,
  });
  onTestFinished(() => sessions.close());
  const events: SessionEvent[] = [];
  sessions.onEvent((event) => void events.push(event));
  const { url } = await sessions.listen({ port: 0 });
  /** The user follows the link and logs in. @returns the last page */
  const follow = async (link: string, user: string) => {
    const browser = new StepBrowser();
    const atProvider = await browser.consent(link);
    const { headers } = await browser.request(provider.authorize(atProvider.href, user));
    return browser.request(new URL(headers.location ?? '', url));
  };
  return { clock, provider, sessions, events, url, follow };
}

/** Whether a call has returned when a later request to the same server has been answered. */
async function isSettled(call: Promise<unknown>, url: string): Promise<boolean> {
  const pending = Symbol('pending');
  const later = fetch(new URL('/healthz', url)).then(async (answer) => {
    await answer.text();
    return pending;
  });
  return (await Promise.race([call, later])) !== pending;
}

describe.each(KINDS_OF_2025)('a 2025 client with URL elicitation (%s)', (kind) => {
  /** Calls `login`, and waits for the elicitation. */
  async function asked(open: OpenAddress) {
    const server = await setUp();
    const links: string[] = [];
    const client = await connectEliciting(kind, server.url, (request) => {
      links.push(request.url);
      return open(request);
    });
    onTestFinished(() => client.close());
    const call = client.call('login');
    await expect.poll(() => links.length).toBeGreaterThan(0);
    return { ...server, client, call, link: links[0] ?? '' };
  }
  const inThought: OpenAddress = () => new Promise(() => undefined);

  it('gets the link for its model before its request timeout when its user does not answer', async () => {
    const { clock, url, call, link } = await asked(inThought);
    await clock.advance(44_999);
    expect(await isSettled(call, url)).toBe(false);
    await clock.advance(1);
    expect((await call).structured).toMatchObject({
      status: 'pending',
      loginUrl: link,
      next: expect.stringMatching(/^Show loginUrl to the user/),
    });
  });

  it('gets the link before its request timeout when its user has opened it and has not returned', async () => {
    const { clock, url, call, link, client, follow } = await asked(async () => 'accept');
    await clock.advance(44_999);
    expect(await isSettled(call, url)).toBe(false);
    await clock.advance(1);
    expect((await call).structured).toMatchObject({
      status: 'pending',
      next: expect.stringMatching(/^The user has not completed the login yet/),
    });
    await follow(link, 'alice');
    expect((await client.call('login')).structured).toMatchObject({ account: { subject: 'alice' } });
  });

  it('is logged in by the same call when its user logs in without answering the prompt', async () => {
    const { call, link, follow } = await asked(inThought);
    await follow(link, 'alice');
    expect((await call).structured).toMatchObject({ account: { subject: 'alice' } });
  });

  it('gets the link at once when elicitation fails', async () => {
    const { call, link } = await asked(() => Promise.reject(new Error('no browser here')));
    expect(await call).toMatchObject({ isError: false, structured: { status: 'pending', loginUrl: link } });
  });
});

describe('calls that wait for the same login', () => {
  it('are limited to twenty, and one more is answered at once [security 41]', async () => {
    const { url, clock, events } = await setUp();
    const ask = async (params: Record<string, unknown>) => {
      const request = request2026(
        'tools/call',
        { name: 'login', arguments: {}, ...params },
        { capabilities: { elicitation: { url: {} } } },
      );
      return messageOf(await send(url, request)).result;
    };
    const started = await connectedByHandle(url);
    const call = { name: 'login', arguments: { session: started } };
    const back = (requestState: unknown) =>
      ask({ ...call, requestState, inputResponses: { login: { action: 'accept' } } });
    const waiting: ReturnType<typeof ask>[] = [];
    for (let count = 1; count <= 20; count++) {
      waiting.push(back((await ask(call))?.requestState));
      await expect.poll(() => clock.timers).toBeGreaterThan(count);
    }
    const last = await back((await ask(call))?.requestState);
    expect(last?.structuredContent).toMatchObject({ status: 'pending' });
    expect(await isSettled(Promise.race(waiting), url)).toBe(false);
    await clock.advance(25 * SECOND);
    for (const answer of await Promise.all(waiting)) expect(answer?.resultType).toBe('input_required');
    expect(events.filter(({ type }) => type === 'login.started')).toHaveLength(1);
  });
});

describe('requests of one 2026 session', () => {
  it('are limited to a hundred in flight [security 40]', async () => {
    const going: (() => void)[] = [];
    const tools: SessionsOptions['tools'] = (server) =>
      server.registerTool('wait', { description: 'Waits, and says so.' }, async ({ mcpReq }) => {
        const progressToken = mcpReq._meta?.progressToken;
        if (progressToken !== undefined) {
          // The response is a stream from now on.
          const params = { progressToken, progress: 0 };
          await mcpReq.notify({ method: 'notifications/progress', params });
        }
        await new Promise<void>((resolve) => going.push(resolve));
        return { content: [] };
      });
    const { url, follow } = await setUp({ tools });
    const pending = client2026(url);
    const { structured } = await pending.call('login');
    await follow(String(structured.loginUrl), 'alice');
    const session = (await pending.call('login', { session: structured.session })).structured.session;
    const call = (tool: string, meta = {}) =>
      send(url, request2026('tools/call', { name: tool, arguments: { session } }, { meta }));
    const waiting = Array.from({ length: 100 }, (_, index) =>
      call('wait', index % 2 === 0 ? {} : { progressToken: index }),
    );
    await expect.poll(() => going).toHaveLength(100);
    const refused = await call('session_status');
    expect([refused.status, refused.headers['retry-after']]).toEqual([503, '1']);
    expect(messageOf(refused).error?.message).toMatch(/Wait for some to be answered/);
    expect((await send(url, request2026('tools/call', { name: 'session_status' }))).status).toBe(200);
    for (const go of going) go();
    const answers = await Promise.all(waiting);
    for (const { status } of answers) expect(status).toBe(200);
    const types = new Set(answers.map(({ headers }) => headers['content-type']));
    expect(types).toEqual(new Set(['application/json', 'text/event-stream']));
    const again = Array.from({ length: 100 }, () => call('wait'));
    await expect.poll(() => going).toHaveLength(200);
    for (const go of going) go();
    for (const { status } of await Promise.all(again)) expect(status).toBe(200);
  });
});

/** Starts a login as a client without elicitation. @returns its pending handle */
async function connectedByHandle(url: string): Promise<string> {
  const request = request2026('tools/call', { name: 'login', arguments: {} });
  return String(messageOf(await send(url, request)).result?.structuredContent.session);
}

describe('a login that fails to start', () => {
  it.each(['2025', '2026'] as const)('leaves no session behind (%s)', async (era) => {
    const { url, provider, events } = await setUp({
      providers: { ...new FaultingProvider().options, deviceFlow: 'only' },
    });
    provider.failUntilMended('device', { status: 503 });
    const client = era === '2025' ? await connect2025(url) : client2026(url);
    const before = events.length;
    for (let count = 0; count < 5; count++) {
      expect(await client.call('login')).toMatchObject({ isError: true });
    }
    const started = events.slice(before).filter(({ type }) => type === 'session.started');
    const ended = events.slice(before).filter(({ type }) => type === 'session.ended');
    expect(started).toHaveLength(era === '2025' ? 0 : 5);
    expect(ended).toHaveLength(started.length);
  });
});

describe('a device login whose provider asks for slower polling', () => {
  it('is answered before the request timeout of its client', async () => {
    const { url, provider, clock } = await setUp({
      providers: { ...new FaultingProvider().options, deviceFlow: 'only' },
    });
    const client = await connect2025(url);
    await client.call('login');
    provider.failNext('token', { status: 503, retryAfterSeconds: 300 });
    await clock.advance(5 * SECOND);
    await expect.poll(() => provider.requests.token).toBeGreaterThan(0);
    const { timers } = clock;
    const again = client.call('login');
    await expect.poll(() => clock.timers).toBeGreaterThan(timers);
    await clock.advance(25 * SECOND);
    expect((await again).structured).toMatchObject({ status: 'pending' });
  });
});

describe('a confirmation code', () => {
  it('is valid for five minutes from the moment it is shown', async () => {
    const { url, clock, follow } = await setUp({ access: 'open-to-network' });
    const client = client2026(url, undefined, { headers: { 'x-forwarded-for': '192.0.2.1' } });
    const { structured } = await client.call('login');
    const handle = String(structured.session);
    await clock.advance(9.5 * MINUTE);
    const page = await follow(String(structured.loginUrl), 'alice');
    expect(page.text).toMatch(/[0-9A-Z]{4}-[0-9A-Z]{4}/);
    await clock.advance(4.5 * MINUTE);
    const due = await client.call('login', { session: handle });
    expect(due.structured).toMatchObject({ status: 'confirmation_required', expiresInSeconds: 30 });
    await clock.advance(MINUTE);
    expect((await client.call('login', { session: handle })).structured).not.toMatchObject({
      status: 'confirmation_required',
    });
  });
});
