import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { logIn } from '../../packages/sessions/src/testing/index.js';
import { inMemory2025, inMemory2026 } from '../support/in-memory-client.js';
import { createLatch } from '../support/latch.js';
import { ERAS, named, startTranscribed } from '../support/transcribed-server.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** Resolves with the code of the reason when a signal aborts. */
function abortOf(signal: AbortSignal): Promise<string> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve((signal.reason as { code?: string }).code ?? 'no code'));
  });
}

describe.each(ERAS)('a logout (%s)', (era) => {
  async function start() {
    const signals: AbortSignal[] = [];
    const began = [createLatch(), createLatch()];
    const noteBegin = (signal: AbortSignal) => began[signals.push(signal) - 1]?.open();
    const waiting = createLatch();
    const server = startTranscribed({
      tools: (mcp, context) => {
        mcp.registerTool(
          'wait',
          { description: 'Waits for its signal, which nothing else knows.' },
          async ({ mcpReq }) => {
            waiting.open();
            return { content: [{ type: 'text' as const, text: `aborted: ${await abortOf(mcpReq.signal)}` }] };
          },
        );
        mcp.registerTool(
          'hold',
          { description: 'Runs until it is aborted.' },
          context.requireLogin(async ({ mcpReq }) => {
            noteBegin(mcpReq.signal);
            const text = `aborted: ${await abortOf(mcpReq.signal)}`;
            return { content: [{ type: 'text' as const, text }] };
          }),
        );
        mcp.registerResource('held', 'notes://held', {}, async (uri, { mcpReq }) => {
          noteBegin(mcpReq.signal);
          return { contents: [{ uri: uri.href, text: `aborted: ${await abortOf(mcpReq.signal)}` }] };
        });
      },
    });
    onTestFinished(() => server.sessions.close());
    const connect = async (user: string) => {
      const client = await (era === '2025' ? inMemory2025(server.here) : inMemory2026(server.here));
      const started = (await client.call('login')).structured;
      await logIn(server.here, started.loginUrl, { provider: server.provider, user });
      return { client, session: named((await client.call('login', named(started))).structured) };
    };
    return { connect, signals, began, waiting };
  }

  it('aborts the signals of the tools and resources of its session, which still answer', async () => {
    const { connect, began } = await start();
    const { client, session } = await connect('alice');
    const holding = client.call('hold', session);
    await began[0]?.opened;
    const reading = client.request('resources/read', {
      uri: 'notes://held',
      ...(session.session !== undefined && { _meta: { 'dev.mcp-sessions/session': session.session } }),
    });
    await began[1]?.opened;
    expect((await client.call('logout', session)).structured).toMatchObject({ status: 'logged_out' });
    expect((await holding).text).toBe('aborted: signed_out');
    expect(JSON.stringify(await reading)).toContain('aborted: signed_out');
  });

  it('aborts the signal of a tool that waits for nothing else, also after a garbage collection', async () => {
    const { connect, waiting } = await start();
    const { client, session } = await connect('alice');
    const answer = client.call('wait', session);
    await waiting.opened;
    for (let round = 0; round < 3; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      collectGarbage();
    }
    await client.call('logout', session);
    expect((await answer).text).toBe('aborted: signed_out');
  });

  it('leaves the tools of other sessions alone [security 8]', async () => {
    const { connect, signals, began } = await start();
    const [alice, bob] = [await connect('alice'), await connect('bob')];
    const holding = alice.client.call('hold', alice.session);
    await began[0]?.opened;
    await bob.client.call('logout', bob.session);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false]);
    await alice.client.call('logout', alice.session);
    expect((await holding).text).toBe('aborted: signed_out');
  });
});

it('a pending handle can log out: its login is cancelled, and the handle has ended', async () => {
  const server = startTranscribed();
  onTestFinished(() => server.sessions.close());
  const client = inMemory2026(server.here);
  const { structured } = await client.call('login');
  const pageAt = async (loginUrl: unknown) =>
    (await server.here.handleRequest(new Request(String(loginUrl)))).text();
  expect(await pageAt(structured.loginUrl)).toContain('name="form"');
  expect((await client.call('logout', named(structured))).structured).toEqual({
    status: 'logged_out',
    accounts: [],
    next: 'The user is logged out here.',
  });
  expect((await client.call('login', named(structured))).text).toMatch(/has ended: its user logged out/);
  expect(await pageAt(structured.loginUrl)).not.toContain('name="form"');
});
