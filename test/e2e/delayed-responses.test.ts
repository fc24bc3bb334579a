import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSessions, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { createLatch, type Latch } from '../support/latch.js';
import { connect } from '../support/mcp-clients.js';
import { messageOf, request2026 } from '../support/raw-mcp.js';
import { call2026, eventContaining, openWire } from './wire-stream.js';

/** The default time that nginx waits between two bytes of a response. */
const NGINX_MS = 60_000;
const CALL_MS = 66_000;
const RESPONSE_DELAY_MS = 5_000;

let clock: VirtualClock;
let sessions: Sessions;
let mcp: string;
let began: Latch;
let released: Latch;
let aborted: Latch;

// Real connections, and a clock that only the test advances.
beforeEach(async () => {
  clock = new VirtualClock();
  began = createLatch();
  released = createLatch();
  aborted = createLatch();
  const provider = new FaultingProvider();
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0 },
    runtime: { fetch: provider.fetch, clock },
    tools: (server) => {
      server.registerTool(
        'hold',
        { description: 'Says nothing until it is released.' },
        async ({ mcpReq }) => {
          mcpReq.signal.addEventListener('abort', () => aborted.open());
          began.open();
          await released.opened;
          return { content: [{ type: 'text', text: 'released' }] };
        },
      );
    },
  });
  ({ url: mcp } = await sessions.listen({ port: 0 }));
});

afterEach(async () => {
  released.open();
  await sessions.close();
});

const holdFor = (accept: string) => {
  const { headers, ...request } = request2026('tools/call', { name: 'hold', arguments: {} });
  return openWire(mcp, { ...request, headers: { ...headers, accept } });
};

describe('the response to a 2026 call whose tool is silent for 66 seconds', () => {
  it('starts after five seconds and sends keep-alive bytes before a load balancer times out', async () => {
    const answer = call2026(mcp, 'hold', {});
    await began.opened;
    await clock.advance(RESPONSE_DELAY_MS);
    const stream = await answer;
    expect([stream.status, stream.headers['content-type']]).toEqual([200, 'text/event-stream']);
    await clock.advance(CALL_MS - RESPONSE_DELAY_MS);
    released.open();
    const { data } = await eventContaining(stream, 'released');
    expect(JSON.parse(data)).toMatchObject({ id: 7, result: { content: [{ text: 'released' }] } });
    const comments = (await stream.text).match(/^: keepalive$/gm) ?? [];
    expect(comments.length).toBeGreaterThan((CALL_MS - RESPONSE_DELAY_MS) / NGINX_MS);
  });

  it.each(['SDK 2.x pinned to 2026', 'SDK 2.x auto'] as const)('is read by %s', async (kind) => {
    const client = await connect(kind, mcp);
    const answer = client.call('hold');
    await began.opened;
    await clock.advance(CALL_MS);
    released.open();
    expect(await answer).toMatchObject({ isError: false, text: 'released' });
    await client.close();
  });

  it('is JSON for a client that accepts only JSON', async () => {
    const answer = holdFor('application/json');
    await began.opened;
    await clock.advance(CALL_MS);
    const { status, headers, text } = await answer;
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    released.open();
    expect(messageOf({ status, headers, text: await text })).toMatchObject({
      result: { content: [{ text: 'released' }] },
    });
  });

  it('is dropped and the call is cancelled if the client disconnects', async () => {
    const answer = call2026(mcp, 'hold', {});
    await began.opened;
    await clock.advance(CALL_MS);
    (await answer).drop();
    await aborted.opened;
  });

  it('is dropped if only the closed response shows that the client has disconnected', async () => {
    const {
      method = '',
      headers = {},
      body = '',
    } = request2026('tools/call', { name: 'hold', arguments: {} });
    const answer = sessions.handleRequest(new Request(mcp, { method, headers, body }));
    await began.opened;
    await clock.advance(CALL_MS);
    await (await answer).body?.cancel();
    await aborted.opened;
  });

  it.each([
    { when: 'before it has begun', status: 503, passedMs: 0 },
    { when: 'after that', status: 200, passedMs: CALL_MS },
  ])('is an error when the server closes $when', async ({ status, passedMs }) => {
    const answer = call2026(mcp, 'hold', {});
    await began.opened;
    await clock.advance(passedMs);
    if (passedMs > 0) await answer;
    let isClosed = false;
    void sessions.close().finally(() => {
      isClosed = true;
    });
    // Closing waits for calls by the clock, with a drain time of 0.
    while (!isClosed) await clock.advance(1);
    const stream = await answer;
    expect(stream.status).toBe(status);
    const message = messageOf({ ...stream, text: await stream.text });
    expect(message).toMatchObject({ id: 7, error: { message: expect.stringMatching(/closing/) } });
  });
});
