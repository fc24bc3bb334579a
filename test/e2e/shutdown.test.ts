import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import { SessionError, type Sessions, type SessionsOptions } from '../../packages/sessions/src/index.js';
import { createSessionsWith } from '../../packages/sessions/src/server/create-sessions.js';
import type { SessionRef } from '../../packages/sessions/src/session/ids.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import { type CreatePorts, createMapPorts } from '../../packages/sessions/src/store/ports.js';
import { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { createLatch } from '../support/latch.js';
import { MapSessionStore } from '../support/map-session-store/map-session-store.js';
import { portsWith } from '../support/ports-with.js';
import { client2026, connect2025, initialize, request2026, send, startLogin } from '../support/raw-mcp.js';
import { StepBrowser } from '../support/step-browser.js';

/** The length of a round of a 2026 call that waits for a login. */
const LEG_MS = 25_000;

interface Serving {
  readonly sessions: Sessions;
  readonly provider: FaultingProvider;
  readonly origin: string;
  readonly mcp: string;
  readonly warnings: object[];
  /** Opens when a call of the tool `slow` has started. */
  readonly isRunning: Promise<void>;
  /** Lets the call finish. */
  finish(): void;
}

async function serve(
  options: Partial<SessionsOptions> = {},
  createPorts: CreatePorts = createMapPorts,
): Promise<Serving> {
  const provider = new FaultingProvider();
  const [started, finished] = [createLatch(), createLatch()];
  const warnings: object[] = [];
  const sessions = createSessionsWith(createPorts, {
    server: { name: 'notes', version: '1.0.0' },
    providers: provider.options,
    logger: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(JSON.parse(line)) }),
    tools: (server) => {
      server.registerTool('slow', { description: 'Takes its time' }, async () => {
        started.open();
        await finished.opened;
        return { content: [{ type: 'text', text: 'all of it' }] };
      });
    },
    ...options,
    runtime: { fetch: provider.fetch, ...options.runtime },
  });
  onTestFinished(() => sessions.close({ drainMs: 0 }));
  const { url } = await sessions.listen({ port: 0 });
  return {
    sessions,
    provider,
    origin: new URL(url).origin,
    mcp: url,
    warnings,
    isRunning: started.opened,
    finish: () => finished.open(),
  };
}

async function logIn({ provider, mcp }: Serving, user: string): Promise<void> {
  const client = await connect2025(mcp);
  const browser = new StepBrowser();
  const atProvider = await browser.consent(await startLogin(client));
  await browser.request(provider.authorize(atProvider, user));
  expect((await client.call('login')).structured).toMatchObject({ status: 'authenticated' });
}

describe('closing', () => {
  it.each([
    ['2025', async ({ mcp }: Serving) => (await connect2025(mcp)).call('slow')],
    ['2026', ({ mcp }: Serving) => client2026(mcp).call('slow')],
  ])(
    'lets a call of %s finish; meanwhile health says 503 and requests are refused [security 35]',
    async (_era, call) => {
      const serving = await serve();
      const calling = call(serving);
      await serving.isRunning;
      const closed = serving.sessions.close();
      const health = await send(`${serving.origin}/healthz`);
      expect(health).toMatchObject({ status: 503, text: '{"status":"draining"}' });
      const refused = await initialize(serving.mcp);
      expect(refused).toMatchObject({ status: 503, headers: { 'retry-after': '10' } });
      serving.finish();
      expect(await calling).toMatchObject({ isError: false, text: 'all of it' });
      await closed;
      await expect(send(`${serving.origin}/healthz`)).rejects.toThrow('ECONNREFUSED');
      expect(serving.warnings).toEqual([]);
    },
  );

  it('accepts the responses that calls in flight wait for, and refuses other requests', async () => {
    const [asked, answered] = [createLatch(), createLatch()];
    const { sessions, mcp, warnings } = await serve({
      tools: (server) => {
        server.registerTool('ask', { description: 'Asks its user' }, async ({ mcpReq }) => {
          const requestedSchema = { type: 'object', properties: { name: { type: 'string' } } } as const;
          const { content } = await mcpReq.elicitInput({ mode: 'form', message: 'Who?', requestedSchema });
          return { content: [{ type: 'text', text: JSON.stringify(content) }] };
        });
      },
    });
    const client = new Client(
      { name: 'test', version: '0' },
      { capabilities: { elicitation: { form: {} } }, supportedProtocolVersions: ['2025-11-25'] },
    );
    client.setRequestHandler('elicitation/create', async () => {
      asked.open();
      await answered.opened;
      return { action: 'accept', content: { name: 'alice' } };
    });
    await client.connect(new StreamableHTTPClientTransport(new URL(mcp)));
    const calling = client.callTool({ name: 'ask', arguments: {} });
    await asked.opened;
    const closed = sessions.close();
    await expect(client.listTools()).rejects.toThrow('closing');
    answered.open();
    expect(await calling).toMatchObject({ content: [{ text: '{"name":"alice"}' }] });
    await closed;
    expect(warnings).toEqual([]);
  });

  it('lets a call of a web-standard request finish, to the last byte of its response', async () => {
    const { sessions, provider: _, isRunning, finish, mcp } = await serve();
    const { body = '', headers } = request2026('tools/call', { name: 'slow', arguments: {} });
    const answering = sessions.handleRequest(
      new Request(mcp, { method: 'POST', headers: { ...headers }, body }),
    );
    await isRunning;
    const closed = sessions.close();
    finish();
    expect(await (await answering).text()).toContain('all of it');
    await closed;
  });

  it('does not wait for streams, waits for calls during the drain time only, and logs the calls that it ended', async () => {
    const serving = await serve();
    const { mcp, sessions, warnings } = serving;
    const { secret } = await connect2025(mcp);
    const stream = await fetch(mcp, { headers: { accept: 'text/event-stream', 'mcp-session-id': secret } });
    expect(stream.status).toBe(200);
    const listening = request2026('subscriptions/listen', { notifications: { toolsListChanged: true } });
    const { headers = {}, body = '' } = listening;
    const listened = await fetch(mcp, { method: 'POST', headers, body });
    expect(listened.headers.get('content-type')).toContain('text/event-stream');
    const calling = expect(client2026(mcp).call('slow')).rejects.toThrow();
    await serving.isRunning;
    await sessions.close({ drainMs: 0 });
    await calling;
    expect(warnings).toEqual([
      expect.objectContaining({
        event: 'shutdown.calls_cut',
        calls: 1,
        msg: expect.stringContaining('1 call was cut off'),
      }),
    ]);
    await Promise.allSettled([stream.text(), listened.text()]);
  });

  it('is immediate if no call is in flight', async () => {
    const { sessions, warnings } = await serve({ runtime: { clock: new VirtualClock() } });
    // The clock does not move, so that a wait would never end.
    await sessions.close();
    expect(warnings).toEqual([]);
  });

  it('leaves a call that it cut off without a request', async () => {
    const [began, released] = [createLatch(), createLatch()];
    const seen: string[] = [];
    const over = createLatch();
    const { mcp, sessions } = await serve({
      tools: (server, context) => {
        server.registerTool('outlive', { description: 'Outlives the server' }, async () => {
          seen.push(typeof context.session().id);
          began.open();
          await released.opened;
          try {
            context.session();
          } catch (error) {
            seen.push(error instanceof SessionError ? error.code : String(error));
          }
          over.open();
          return { content: [] };
        });
      },
    });
    const calling = (await connect2025(mcp)).call('outlive');
    calling.catch(() => undefined);
    await began.opened;
    await sessions.close({ drainMs: 0 });
    released.open();
    await over.opened;
    expect(seen).toEqual(['string', 'no_request']);
  });

  it('does not wait for calls that wait for a login', async () => {
    const clock = new VirtualClock();
    const waits = createLatch();
    const after = (delayMs: number, run: () => void) => {
      if (delayMs === LEG_MS) waits.open();
      return clock.after(delayMs, run);
    };
    const { mcp, sessions } = await serve({ runtime: { clock: { now: () => clock.now(), after } } });
    const capabilities = { elicitation: { url: {} } };
    const { headers = {}, body = '' } = request2026(
      'tools/call',
      { name: 'login', arguments: {} },
      { capabilities },
    );
    const asked = await send(mcp, { method: 'POST', headers, body });
    const { result } = JSON.parse(asked.text);
    expect(result).toMatchObject({ resultType: 'input_required' });
    const [name = ''] = Object.keys(result.inputRequests);
    const answer = {
      ...{ name: 'login', arguments: {}, requestState: result.requestState },
      inputResponses: { [name]: { action: 'accept' } },
    };
    const retry = request2026('tools/call', answer, { capabilities, id: 8 });
    const waiting = send(mcp, retry);
    await waits.opened;
    await sessions.close();
    expect((await waiting).status).toBe(200);
  });

  it('wipes tokens before it contacts a provider, and logs how many logins it could not revoke [security 34]', async () => {
    const serving = await serve();
    const { provider, sessions, warnings } = serving;
    for (const user of ['alice', 'bob', 'carol']) await logIn(serving, user);
    const asked = createLatch();
    provider.failUntilMended('revocation', () => {
      asked.open();
      return new Promise(() => undefined);
    });
    const ended: string[] = [];
    sessions.onEvent(({ type }) => void ended.push(type));
    const closed = sessions.close({ drainMs: 60_000 });
    await asked.opened;
    expect(ended.filter((type) => type === 'session.ended')).toHaveLength(3);
    await Promise.all([sessions.close({ drainMs: 0 }), closed]);
    expect(warnings).toEqual([
      expect.objectContaining({
        event: 'shutdown.not_revoked',
        logins: 3,
        msg: expect.stringMatching(/^3 logins were not revoked/),
      }),
    ]);
  });

  it('revokes all logins at a slow provider', async () => {
    const serving = await serve();
    const { provider, sessions, warnings } = serving;
    for (const user of ['alice', 'bob', 'carol']) await logIn(serving, user);
    const [asked, answer] = [createLatch(), createLatch()];
    provider.failUntilMended('revocation', async (response) => {
      asked.open();
      await answer.opened;
      return response;
    });
    const closed = sessions.close();
    await asked.opened;
    answer.open();
    await closed;
    expect(provider.livingUsers()).toEqual([]);
    expect(warnings).toEqual([]);
  });
});

describe('closing a server whose sessions outlive it', () => {
  it('ends no session and revokes nothing, and closes every stream as the server', async () => {
    const records = new Map<SessionRef, SessionRecord>();
    const present: ((ref: SessionRef) => boolean)[] = [];
    const createPorts = portsWith((_made, options) => {
      present.push(options.isPresent);
      return { sessions: new MapSessionStore({ ...options, records }), outlivesProcess: true };
    });
    const serving = await serve({}, createPorts);
    const { provider, sessions, mcp, warnings } = serving;
    await logIn(serving, 'alice');
    const { secret } = await connect2025(mcp);
    const stream = await fetch(mcp, { headers: { accept: 'text/event-stream', 'mcp-session-id': secret } });
    const presentRefs = () => [...records.keys()].filter((ref) => present[0]?.(ref));
    expect(presentRefs()).toHaveLength(1);
    // The lifetimes of absent clients run, so the time at which a session is due changes.
    const dump = () => JSON.stringify([...records.values()].map((record) => ({ ...record, dueAtMs: 0 })));
    const before = dump();
    const emitted: string[] = [];
    sessions.onEvent(({ type }) => void emitted.push(type));
    await sessions.close();
    await stream.text();
    expect(presentRefs()).toEqual([]);
    expect(dump()).toBe(before);
    expect(before).toContain('"subject":"alice"');
    expect(emitted).toEqual([]);
    expect(provider.livingUsers()).toEqual(['alice']);
    expect(warnings).toEqual([]);
  });

  it('waits for the answer to a poll of a login by a code, and commits its tokens', async () => {
    const records = new Map<SessionRef, SessionRecord>();
    const createPorts = portsWith((_made, options) => ({
      sessions: new MapSessionStore({ ...options, records }),
      outlivesProcess: true,
    }));
    const [provider, clock] = [new FaultingProvider(), new VirtualClock()];
    const providers = { ...provider.options, deviceFlow: 'only' } as const;
    const runtime = { fetch: provider.fetch, clock };
    const { sessions, origin, mcp, warnings } = await serve({ providers, runtime }, createPorts);
    const client = await connect2025(mcp);
    const { userCode } = (await client.call('login')).structured;
    const [asked, answered] = [createLatch(), createLatch()];
    provider.failNext('token', async (response) => {
      asked.open();
      await answered.opened;
      return response;
    });
    provider.approve(String(userCode), 'alice');
    await clock.advance(5000);
    await asked.opened;
    const closed = sessions.close();
    // A server that does not wait refuses connections by then.
    for (let request = 0; request < 20; request++)
      expect(await send(`${origin}/healthz`)).toMatchObject({ status: 503 });
    answered.open();
    await closed;
    expect([...records.values()].map(({ accounts }) => accounts.provider?.subject)).toEqual(['alice']);
    expect(warnings).toEqual([]);
  });
});
