import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type RegisterTools, type Sessions } from '../../packages/sessions/src/index.js';
import { VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { Journal } from '../support/journal.js';
import { createLatch } from '../support/latch.js';
import { JSON_HEADERS, messageOf, type RawAnswer, send } from '../support/raw-mcp.js';
import { eventContaining, openWire } from './wire-stream.js';

/** After this time, a call is slow. */
const SLOW_MS = 2000;

const closing: Sessions[] = [];
afterEach(() => Promise.all(closing.splice(0).map((sessions) => sessions.close())));

/** A server with a tool that waits, and one connection to it. */
async function start(dispatch: 'direct' | 'sdk', capabilities: object = {}) {
  const clock = new VirtualClock();
  const signals = new Journal<AbortSignal>();
  const runs: string[] = [];
  const validations = new Journal<string>();
  const released = createLatch();
  const tools: RegisterTools = (server) => {
    const inputSchema = z.object({ name: z.string() });
    server.registerTool('hold', { inputSchema }, async ({ name }, { mcpReq }) => {
      runs.push(name);
      signals.add(mcpReq.signal);
      await released.opened;
      return { content: [{ type: 'text', text: `released ${name}` }] };
    });
    server.registerTool('leave', { inputSchema }, async ({ name }, { http }) => {
      http?.closeSSE?.();
      await released.opened;
      return { content: [{ type: 'text', text: `left ${name}` }] };
    });
    const slow = z.string().refine(async (name) => {
      validations.add(name);
      await released.opened;
      return true;
    });
    server.registerTool('validate', { inputSchema: z.object({ name: slow }) }, () => ({ content: [] }));
    server.registerTool('respond', { inputSchema, outputSchema: z.object({ name: slow }) }, ({ name }) => ({
      content: [],
      structuredContent: { name },
    }));
    server.registerTool('ask', { inputSchema }, async ({ name }, { mcpReq }) => {
      const { action } = await mcpReq.elicitInput({
        message: name,
        requestedSchema: { type: 'object', properties: {} },
      });
      return { content: [{ type: 'text', text: `${name}: ${action}` }] };
    });
  };
  const sessions = createSessions({
    server: { name: 'calls', version: '1.0.0' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'calls', scopes: ['openid'] },
    tools,
    dispatch,
    runtime: { clock },
    lifetimes: { shutdownDrainMs: 0 },
  });
  closing.push(sessions);
  const { url: mcp } = await sessions.listen({ port: 0 });
  const clientInfo = { name: 'raw', version: '1' };
  const initialize = { protocolVersion: '2025-11-25', capabilities, clientInfo };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params: initialize });
  const started = await send(mcp, { method: 'POST', headers: JSON_HEADERS, body });
  const headers = {
    ...JSON_HEADERS,
    'mcp-session-id': String(started.headers['mcp-session-id']),
    'mcp-protocol-version': '2025-11-25',
  };
  const post = (message: object): Promise<RawAnswer> =>
    send(mcp, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', ...message }) });
  const params = (name: string, tool = 'hold') => ({
    method: 'tools/call',
    params: { name: tool, arguments: { name } },
  });
  return { clock, signals, runs, validations, released, mcp, headers, post, params, sessions };
}

const cancel = (requestId: number, reason: string) => ({
  method: 'notifications/cancelled',
  params: { requestId, reason },
});

describe.each(['direct', 'sdk'] as const)('a 2025 call in flight, with `dispatch: %s`', (dispatch) => {
  it('is aborted with the reason of its client if that cancels it, and gets no answer', async () => {
    const { signals, released, post, params } = await start(dispatch);
    const call = post({ id: 1, ...params('a') });
    const signal = await signals.until('the tool runs', ([first]) => first);
    expect((await post(cancel(2, 'another one'))).status).toBe(202);
    expect(signal.aborted).toBe(false);
    expect((await post(cancel(1, 'no longer needed'))).status).toBe(202);
    const answer = await call;
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(answer.text).not.toContain('"jsonrpc"');
    expect([signal.aborted, signal.reason]).toEqual([true, 'no longer needed']);
    released.open();
    // Its id is free again.
    expect(messageOf(await post({ id: 1, ...params('b') })).result?.content[0]?.text).toBe('released b');
  });

  it('keeps its id from other requests', async () => {
    const { signals, runs, released, post, params } = await start(dispatch);
    const call = post({ id: 1, ...params('a') });
    await signals.until('the tool runs', ([first]) => first);
    const refused = await post({ id: 1, ...params('b') });
    expect(refused.status).toBe(400);
    expect(messageOf(refused).error?.message).toContain('an id of its own');
    released.open();
    expect(messageOf(await call)).toMatchObject({ id: 1, result: { content: [{ text: 'released a' }] } });
    expect(runs).toEqual(['a']);
  });

  it('is answered with an error if its client ends the connection', async () => {
    const { signals, mcp, headers, post, params } = await start(dispatch);
    const call = post({ id: 1, ...params('a') });
    const signal = await signals.until('the tool runs', ([first]) => first);
    expect((await send(mcp, { method: 'DELETE', headers })).status).toBe(200);
    expect(messageOf(await call).error?.message).toContain('Reconnect this server');
    expect(signal.reason).toMatchObject({ message: 'Connection closed' });
  });

  it.each([
    ['arguments are', 'validate'],
    ['result is', 'respond'],
  ])('does not keep its connection from ending while its %s validated', async (_what, tool) => {
    const { validations, released, mcp, headers, post, params } = await start(dispatch);
    const call = post({ id: 1, ...params('a', tool) });
    await validations.until('the validation', ([first]) => first);
    expect((await send(mcp, { method: 'DELETE', headers })).status).toBe(200);
    expect(messageOf(await call).error?.message).toContain('Reconnect this server');
    released.open();
  });

  it('runs once and is answered by a stream, which can be resumed, if it takes long', async () => {
    const { clock, signals, runs, released, mcp, headers, post, params } = await start(dispatch);
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, ...params('a') });
    const call = openWire(mcp, { method: 'POST', headers, body });
    const signal = await signals.until('the tool runs', ([first]) => first);
    await clock.advance(SLOW_MS);
    const stream = await call;
    expect(stream.headers['content-type']).toBe('text/event-stream');
    const { id = '' } = await stream.events.until('the first event', ([first]) => first);
    stream.drop();
    const resumed = await openWire(mcp, { headers: { ...headers, 'last-event-id': id } });
    released.open();
    expect(JSON.parse((await eventContaining(resumed, 'released')).data)).toMatchObject({ id: 1 });
    expect([runs, signal.aborted]).toEqual([['a'], false]);
    expect((await post({ id: 2, method: 'ping' })).status).toBe(200);
  });

  it('may close its stream, and its client gets the answer when it resumes', async () => {
    const { released, mcp, headers, post, params } = await start(dispatch);
    const left = await post({ id: 1, ...params('a', 'leave') });
    const [, id = ''] = /^id: (.+)$/m.exec(left.text) ?? [];
    expect(left.text).not.toContain('left');
    const resumed = await openWire(mcp, { headers: { ...headers, 'last-event-id': id } });
    released.open();
    expect(JSON.parse((await eventContaining(resumed, 'left')).data)).toMatchObject({ id: 1 });
  });

  it('asks its own client, and gets the answer, although the ids of both requests are the same', async () => {
    const { mcp, headers, post, params } = await start(dispatch, { elicitation: {} });
    const standalone = await openWire(mcp, { headers });
    const call = post({ id: 0, ...params('Well?', 'ask') });
    const asked = JSON.parse((await eventContaining(standalone, 'elicitation/create')).data);
    expect(asked.id).toBe(0);
    expect((await post({ id: asked.id, result: { action: 'decline' } })).status).toBe(202);
    expect(messageOf(await call)).toMatchObject({ id: 0, result: { content: [{ text: 'Well?: decline' }] } });
    standalone.drop();
  });

  it('ends with an answer if the server closes', async () => {
    const { clock, signals, sessions, post, params } = await start(dispatch);
    const call = post({ id: 1, ...params('a') });
    const signal = await signals.until('the tool runs', ([first]) => first);
    let isClosed = false;
    const closed = sessions.close().finally(() => {
      isClosed = true;
    });
    // Closing waits for calls by the clock, with a drain time of 0.
    while (!isClosed) await clock.advance(1);
    await closed;
    expect(messageOf(await call).error?.message).toContain('The connection ended');
    expect(signal.aborted).toBe(true);
  });
});
