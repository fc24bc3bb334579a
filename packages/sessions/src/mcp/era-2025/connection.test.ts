import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { McpServer } from '@modelcontextprotocol/server';
import { describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { MemoryQuota } from '../../limits/memory-quota.js';
import type { SessionId, SessionRef } from '../../session/ids.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { EVENT_LIMITS } from '../request/client-memory-limits.js';
import { SlowCalls } from '../server/slow-calls.js';
import type { EventSink } from '../wire/event-sink.js';
import { responseOf } from '../wire/plain-answer.js';
import { Connection, type ConnectionRequest } from './connection.js';
import { Hibernation } from './hibernation.js';

const URL = 'http://127.0.0.1/mcp';
const ID = 'the-session' as SessionId;
const UNBOUNDED = { authInfo: undefined, closeConnection: undefined, endsAtMs: undefined };
const HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-session-id': ID,
  'mcp-protocol-version': '2025-11-25',
};

/** A connection with a tool that waits until the test releases it. */
async function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const server = new McpServer({ name: 'test', version: '1' }, { capabilities: { resources: {} } });
  const progress: (() => Promise<void>)[] = [];
  const releases: (() => void)[] = [];
  /** Send a notification that belongs to no request, from within a call. */
  const say: (() => Promise<void>)[] = [];
  const inputSchema = z.object({ text: z.string() });
  server.registerTool('wait', { inputSchema }, async ({ text }, { mcpReq }) => {
    const params = { progressToken: 'token', progress: 1 };
    progress.push(() => mcpReq.notify({ method: 'notifications/progress', params }));
    const speak = () => server.server.sendResourceUpdated({ uri: 'test://spoken' });
    say.push(AsyncResource.bind(speak));
    await new Promise<void>((resolve) => releases.push(resolve));
    return { content: [{ type: 'text', text }] };
  });
  const onStandaloneOpen = vi.fn(() => vi.fn());
  const requests = new AsyncLocalStorage<object>();
  const connection: Connection = new Connection({
    id: ID,
    session: 'the session' as SessionRef,
    makeServer: () => ({ server, isReplaceable: () => false }),
    isEternal: true,
    present: () => connection,
    onUse: () => undefined,
    onRest: () => undefined,
    clock,
    deadlines,
    slowCalls: new SlowCalls({ clock, deadlines }),
    keptMs: 120_000,
    kept: new MemoryQuota(EVENT_LIMITS).open(undefined),
    currentPost: () => requests.getStore(),
    onStandaloneOpen,
  });
  const serve = async (incoming: ConnectionRequest) =>
    responseOf(await requests.run({}, () => connection.serve(incoming)));
  const post = (body: unknown) => {
    const request = new Request(URL, { method: 'POST', headers: HEADERS });
    return serve({ request, body, ...UNBOUNDED });
  };
  const get = (headers: Record<string, string> = {}, signal: AbortSignal | null = null) =>
    serve({
      request: new Request(URL, { headers: { ...HEADERS, ...headers }, signal }),
      body: undefined,
      ...UNBOUNDED,
    });
  /** A GET whose events go over a sink. */
  const getOver = (sink: EventSink) =>
    connection.serve({
      request: new Request(URL, { headers: HEADERS }),
      body: undefined,
      ...UNBOUNDED,
      sink,
    });
  /** Finds pings in a stream. */
  const pingsOf = (stream: Response) => {
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    if (!reader) throw new Error('The response has no body.');
    return {
      /** Waits for the ping with that number. */
      async number(number: number): Promise<string> {
        const id = `ping-${number}`;
        for (let text = ''; !text.includes(`"${id}"`); ) text += (await reader.read()).value;
        return id;
      },
      leave: () => reader.cancel(),
    };
  };
  const answer = async (id: string) => {
    expect((await post({ jsonrpc: '2.0', id, result: {} })).status).toBe(202);
  };
  const initialized = await post({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } },
  });
  await initialized.text();
  /** A call whose answer is not there yet. */
  const begin = (id: number, text: string, revision = '2025-11-25', onAnswered?: () => void) => {
    const headers = { ...HEADERS, 'mcp-protocol-version': revision };
    const request = new Request(URL, { method: 'POST', headers });
    const body = { jsonrpc: '2.0', id, method: 'tools/call', params: { name: 'wait', arguments: { text } } };
    return serve({ request, body, ...UNBOUNDED, onAnswered });
  };
  /** A call that takes so long that its answer is a stream. */
  const callAs = async (revision: string, id: number, text: string, onAnswered?: () => void) => {
    const answer = begin(id, text, revision, onAnswered);
    await clock.advance(2_000);
    return answer;
  };
  const call = (id: number, text: string, onAnswered?: () => void) =>
    callAs('2025-11-25', id, text, onAnswered);
  const release = async () => {
    await expect.poll(() => releases.length).toBeGreaterThan(0);
    for (const go of releases.splice(0)) go();
  };
  return {
    connection,
    clock,
    begin,
    post,
    get,
    getOver,
    pingsOf,
    answer,
    call,
    callAs,
    progress,
    say,
    release,
    releases,
    onStandaloneOpen,
  };
}

/** A sink whose client reads everything, unless stated otherwise. */
function sinkThat(differs: Partial<EventSink>): EventSink {
  const ignore = () => undefined;
  return {
    unreadBytes: 0,
    sentBytes: 0,
    isClosed: false,
    start: ignore,
    write: ignore,
    end: ignore,
    destroy: ignore,
    onClose: ignore,
    onRead: ignore,
    ...differs,
  };
}

async function refusalOf(response: Response): Promise<string> {
  expect(response.status).toBe(400);
  const { error } = (await response.json()) as { error: { message: string } };
  return error.message;
}

const eventIdsIn = (text: string) => [...text.matchAll(/^id: (.+)$/gm)].map(([, id]) => id ?? '');

describe('Connection', () => {
  it('hibernates again if the response to a ping has woken it', async () => {
    const clock = new VirtualClock();
    const deadlines = new Deadlines(clock, (error) => {
      throw error;
    });
    const hibernation = new Hibernation<Connection>({ clock, deadlines });
    const state = { initialize: '{}', logLevel: undefined, numbered: 2, asked: 3 };
    const onRest = vi.fn();
    const connection = new Connection(
      {
        id: ID,
        session: 'the session' as SessionRef,
        makeServer: () => {
          throw new Error('No server object is needed.');
        },
        isEternal: false,
        present: () => connection,
        onUse: (used) => hibernation.note(used),
        onRest,
        clock,
        deadlines,
        slowCalls: new SlowCalls({ clock, deadlines }),
        keptMs: 120_000,
        kept: new MemoryQuota(EVENT_LIMITS).open(undefined),
        currentPost: () => undefined,
        onStandaloneOpen: () => () => undefined,
      },
      state,
    );
    const request = new Request(URL, { method: 'POST', headers: HEADERS });
    const body = { jsonrpc: '2.0', id: 'ping-1', result: {} };
    expect(responseOf(await connection.serve({ request, body, ...UNBOUNDED })).status).toBe(202);
    await clock.advance(31_000);
    expect(onRest.mock.calls).toEqual([[state]]);
  });

  it('refuses a second request with an id that is in use, and serves the first', async () => {
    const { call, release, post } = await setUp();
    const first = await call(1, 'the first');
    expect(await refusalOf(await call(1, 'the second'))).toMatch(/an id of its own/);
    const ping = { jsonrpc: '2.0', id: 2, method: 'ping' };
    expect(await refusalOf(await post([ping, ping]))).toMatch(/an id of its own/);
    await release();
    expect(await first.text()).toContain('the first');
    const again = await call(1, 'once more');
    await release();
    expect(await again.text()).toContain('once more');
  });

  it('accepts an id again after it refused a request with that id', async () => {
    const { connection, call, release } = await setUp();
    const headers = { ...HEADERS, accept: 'text/html' };
    const body = { jsonrpc: '2.0', id: 1, method: 'ping' };
    const request = new Request(URL, { method: 'POST', headers });
    expect(responseOf(await connection.serve({ request, body, ...UNBOUNDED })).status).toBe(406);
    const accepted = await call(1, 'accepted');
    await release();
    expect(await accepted.text()).toContain('accepted');
  });

  it('ends the stream of a cancelled request, and ignores later notifications of its tool', async () => {
    const { call, post, release, progress } = await setUp();
    const cancelled = await call(1, 'cancelled');
    await expect.poll(() => progress).toHaveLength(1);
    const params = { requestId: 1 };
    expect((await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params })).status).toBe(202);
    expect(await cancelled.text()).not.toContain('"result"');
    await expect(progress[0]?.()).resolves.toBeUndefined();
    await release();
    const next = await call(1, 'the next');
    await release();
    expect(await next.text()).toContain('the next');
  });

  it('answers a call with JSON if nothing precedes its answer within a second', async () => {
    const { begin, release } = await setUp();
    const call = begin(1, 'short');
    await release();
    const answer = await call;
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual({
      jsonrpc: '2.0',
      id: 1,
      result: { content: [{ type: 'text', text: 'short' }] },
    });
  });

  it('answers a call with a stream if a notification precedes its answer', async () => {
    const { begin, release, progress } = await setUp();
    const call = begin(1, 'the answer');
    await expect.poll(() => progress).toHaveLength(1);
    const sent = [progress[0]?.(), progress[0]?.()];
    await release();
    const answer = await call;
    await Promise.all(sent);
    expect(answer.headers.get('content-type')).toBe('text/event-stream');
    const text = await answer.text();
    expect(text.match(/"method":"notifications\/progress"|the answer/g)).toEqual([
      '"method":"notifications/progress"',
      '"method":"notifications/progress"',
      'the answer',
    ]);
    // Resumable from its beginning.
    expect(eventIdsIn(text)).toHaveLength(4);
  });

  it('ends a call without an answer if its client cancels it before a second has passed', async () => {
    const { begin, post, release, releases, call } = await setUp();
    const cancelled = begin(1, 'cancelled');
    await expect.poll(() => releases).toHaveLength(1);
    await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    expect(await (await cancelled).text()).not.toContain('"result"');
    await release();
    const next = await call(1, 'the next');
    await release();
    expect(await next.text()).toContain('the next');
  });

  it.each([
    ['a batch', [{ jsonrpc: '2.0', id: 1, method: 'ping' }], 'text/event-stream'],
    ['one request', { jsonrpc: '2.0', id: 1, method: 'ping' }, 'application/json'],
  ])('answers %s, whose answer is there at once, with its media type', async (_what, body, type) => {
    const { post } = await setUp();
    const answer = await post(body);
    expect(answer.headers.get('content-type')).toBe(type);
    expect(await answer.text()).toContain('{"result":{},"jsonrpc":"2.0","id":1}');
  });

  it('ignores the cancellation of an unknown request', async () => {
    const { call, post, release } = await setUp();
    const running = await call(1, 'running');
    for (const requestId of [2, '1', undefined]) {
      const params = { requestId };
      await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    }
    await release();
    expect(await running.text()).toContain('running');
  });

  it('sends a missed response to a client that resumes, and ends the stream', async () => {
    const { call, release, get, onStandaloneOpen } = await setUp();
    const broken = await call(1, 'missed');
    const reader = broken.body?.getReader();
    const priming = new TextDecoder().decode((await reader?.read())?.value);
    const [lastEventId = ''] = eventIdsIn(priming);
    expect(priming).toContain('retry: 1000');
    await reader?.cancel();
    await release();
    const resumed = await get({ 'last-event-id': lastEventId });
    expect(await resumed.text()).toContain('missed');
    // The stream of a POST does not count as presence.
    expect(onStandaloneOpen).not.toHaveBeenCalled();
  });

  it('lets a client resume a stream that is still open', async () => {
    const { call, release, get } = await setUp();
    const silent = await call(1, 'missed');
    const reader = silent.body?.getReader();
    const [lastEventId = ''] = eventIdsIn(new TextDecoder().decode((await reader?.read())?.value));
    const resumed = await get({ 'last-event-id': lastEventId });
    expect(resumed.status).toBe(200);
    const again = await get({ 'last-event-id': lastEventId });
    await release();
    expect(await again.text()).toContain('missed');
    await expect(reader?.read()).rejects.toThrow();
  });

  it('replaces the open stream of a call by the resumed one', async () => {
    const { get, call, release, progress } = await setUp();
    const silent = await call(1, 'missed');
    await expect.poll(() => progress).toHaveLength(1);
    await progress[0]?.();
    const reader = silent.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (!text.includes('progress')) text += (await reader?.read())?.value;
    const [lastEventId = ''] = eventIdsIn(text).slice(-1);
    const resumed = await get({ 'last-event-id': lastEventId });
    expect(resumed.status).toBe(200);
    await release();
    expect(await resumed.text()).toContain('missed');
  });

  it.each(['2025-03-26', '2025-06-18'])(
    'gives the events of a call no ids in revision %s, whose clients would resume a finished call',
    async (revision) => {
      const { callAs, release, progress } = await setUp();
      const running = await callAs(revision, 1, 'answered');
      await expect.poll(() => progress).toHaveLength(1);
      await progress[0]?.();
      await release();
      const text = await running.text();
      expect(text).toContain('answered');
      expect(eventIdsIn(text)).toEqual([]);
    },
  );

  it('answers 204 to a client that resumes a finished call', async () => {
    const { call, release, get, onStandaloneOpen } = await setUp();
    const answered = await call(1, 'answered');
    await release();
    const ids = eventIdsIn(await answered.text());
    const resumed = await get({ 'last-event-id': ids[0] ?? '' });
    expect(eventIdsIn(await resumed.text())).toEqual(ids.slice(1));
    const again = await get({ 'last-event-id': ids.at(-1) ?? '' });
    expect([again.status, again.body]).toEqual([204, null]);
    expect(onStandaloneOpen).not.toHaveBeenCalled();
  });

  it('keeps a stream when the request that would replace it is refused', async () => {
    const { call, release, get } = await setUp();
    const running = await call(1, 'running');
    const reader = running.body?.pipeThrough(new TextDecoderStream()).getReader();
    const [lastEventId = ''] = eventIdsIn((await reader?.read())?.value ?? '');
    expect((await get({ 'last-event-id': lastEventId, accept: 'text/html' })).status).toBe(406);
    await release();
    expect((await reader?.read())?.value).toContain('running');
  });

  it('refuses more than 100 calls at a time [security 40]', async () => {
    const { begin, clock, release, releases } = await setUp();
    const begun = Array.from({ length: 100 }, (_, id) => begin(id + 1, 'busy'));
    await clock.advance(2_000);
    const calls = await Promise.all(begun);
    const refused = await begin(101, 'above the limit');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    await expect.poll(() => releases).toHaveLength(100);
    await release();
    expect(await calls[99]?.text()).toContain('busy');
  });

  it('closes the stream of a batch with the last of its calls', async () => {
    const { post, release, progress } = await setUp();
    const call = (id: number) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name: 'wait', arguments: { text: `call ${id}` } },
    });
    const batch = await post([call(1), call(2)]);
    await expect.poll(() => progress).toHaveLength(2);
    await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } });
    await release();
    expect(await batch.text()).toContain('call 2');
  });

  it('sends no notification of a call from before a sign-out to the standalone stream', async () => {
    const { connection, call, get, say, release } = await setUp();
    const stream = await get();
    const running = await call(1, 'private');
    await expect.poll(() => say).toHaveLength(1);
    connection.forgetEvents();
    await say[0]?.();
    await release();
    await running.text();
    await connection.close();
    expect(await stream.text()).not.toContain('spoken');
  });

  it('accepts responses to pings and cancellations in a batch', async () => {
    const { get, post, callAs } = await setUp();
    const cancelled = await callAs('2025-03-26', 1, 'cancelled');
    const stream = await get();
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
    const second = get();
    const [id] = /ping-\d+/.exec((await reader?.read())?.value ?? '') ?? [];
    const params = { requestId: 1 };
    const batch = [
      { jsonrpc: '2.0', id, result: {} },
      { jsonrpc: '2.0', method: 'notifications/cancelled', params },
    ];
    expect((await post(batch)).status).toBe(202);
    expect(await cancelled.text()).not.toContain('"result"');
    expect((await second).status).toBe(409);
    expect((await post([{ jsonrpc: '2.0', id, result: {} }])).status).toBe(202);
  });

  it('replays no events of a call from before a sign-out', async () => {
    const { connection, call, release, get } = await setUp();
    const broken = await call(1, 'private');
    const reader = broken.body?.pipeThrough(new TextDecoderStream()).getReader();
    const [lastEventId = ''] = eventIdsIn((await reader?.read())?.value ?? '');
    await reader?.cancel();
    connection.forgetEvents();
    await release();
    expect((await get({ 'last-event-id': lastEventId })).status).toBe(204);
  });

  it('answers 204 to a client that resumes a call whose events were dropped', async () => {
    const { connection, call, release, get } = await setUp();
    const answered = await call(1, 'private');
    await release();
    const [lastEventId = ''] = eventIdsIn(await answered.text());
    connection.forgetEvents();
    expect((await get({ 'last-event-id': lastEventId })).status).toBe(204);
  });

  it('opens a new stream for a client that resumes from an unknown event', async () => {
    const { connection, get, onStandaloneOpen } = await setUp();
    const stream = await get({ 'last-event-id': 'unknown' });
    expect(stream.status).toBe(200);
    expect(onStandaloneOpen).toHaveBeenCalledOnce();
    await connection.close();
    expect(await stream.text()).toBe('');
  });

  it('accepts another standalone stream when the open one is closed [security 5]', async () => {
    const { get, onStandaloneOpen } = await setUp();
    const first = await get();
    expect(first.status).toBe(200);
    await first.body?.cancel();
    expect(onStandaloneOpen.mock.results[0]?.value).toHaveBeenCalledWith('client');
    expect((await get()).status).toBe(200);
  });

  it('refuses a second standalone stream once the client answers a ping on the first [security 5]', async () => {
    const { get, pingsOf, answer, clock } = await setUp();
    const pings = pingsOf(await get());
    for (let tries = 1; tries <= 3; tries++) {
      const second = get();
      await answer(await pings.number(tries));
      expect((await second).status).toBe(409);
      await clock.advance(10_000);
    }
  });

  it('replaces a stream whose client does not answer by the first waiting one [security 5, 36]', async () => {
    const { get, clock, onStandaloneOpen } = await setUp();
    const first = await get();
    const newcomers = [get(), get(), get()];
    const outcome = await Promise.race([...newcomers, clock.advance(1_900).then(() => 'waiting')]);
    expect(outcome).toBe('waiting');
    await clock.advance(200);
    expect((await Promise.all(newcomers)).map(({ status }) => status)).toEqual([200, 409, 409]);
    await expect(first.text()).rejects.toThrow();
    // The client has opened another stream, so this is not a disconnect.
    expect(onStandaloneOpen.mock.results.map(({ value }) => value.mock.calls)).toEqual([[['server']], []]);
  });

  it('accepts a waiting stream at once when the open one ends [security 5]', async () => {
    const { get } = await setUp();
    const first = await get();
    const second = get();
    await first.body?.cancel();
    expect((await second).status).toBe(200);
  });

  it('drops a waiting stream whose client has disconnected, and keeps the open one', async () => {
    const { get, clock, onStandaloneOpen } = await setUp();
    const first = await get();
    const leaving = new AbortController();
    const second = get({}, leaving.signal);
    leaving.abort();
    await clock.advance(3_000);
    expect((await second).status).toBe(409);
    expect(onStandaloneOpen).toHaveBeenCalledOnce();
    await first.body?.cancel();
  });

  it('opens no stream for a client that has left before [security 36]', async () => {
    const { getOver, get, onStandaloneOpen } = await setUp();
    await getOver(sinkThat({ isClosed: true }));
    expect(onStandaloneOpen).not.toHaveBeenCalled();
    expect((await get({}, AbortSignal.abort())).status).toBe(409);
    expect(onStandaloneOpen).not.toHaveBeenCalled();
    expect((await get()).status).toBe(200);
  });

  it('reports the end of a stream that ends while it opens, and opens the next one [security 36]', async () => {
    const { getOver, get, onStandaloneOpen } = await setUp();
    await getOver(sinkThat({ onClose: (run) => run() }));
    const ends = () => onStandaloneOpen.mock.results.map(({ value }) => value.mock.calls.flat());
    expect(ends()).toEqual([['client']]);
    expect((await get()).status).toBe(200);
    expect(ends()).toEqual([['client'], []]);
  });

  it('answers 404 to a waiting stream when its connection ends [security 10]', async () => {
    const { get, connection, onStandaloneOpen } = await setUp();
    const first = await get();
    const second = get();
    await first.body?.getReader().read();
    await connection.close();
    expect((await second).status).toBe(404);
    expect(onStandaloneOpen).toHaveBeenCalledOnce();
  });

  it('treats a client that answers no ping as absent, not as disconnected [security 36]', async () => {
    const { get, pingsOf, answer, clock, onStandaloneOpen } = await setUp();
    const stream = await get();
    const pings = pingsOf(stream);
    const ends = () => onStandaloneOpen.mock.results.map(({ value }) => value.mock.calls.flat());
    await clock.advance(60_000);
    expect(ends()).toEqual([['server']]);
    await clock.advance(600_000);
    expect(ends()).toEqual([['server']]);
    // The stream has carried a ping every 25 seconds.
    await answer(await pings.number(26));
    expect(ends()).toEqual([['server'], []]);
    await pings.leave();
    expect(ends()).toEqual([['server'], ['client']]);
  });

  it('treats a client that closes its stream as disconnected, even if it never answered a ping [security 36]', async () => {
    const { get, clock, onStandaloneOpen } = await setUp();
    const stream = await get();
    await clock.advance(600_000);
    await stream.body?.cancel();
    expect(onStandaloneOpen.mock.results.map(({ value }) => value.mock.calls.flat())).toEqual([
      ['server'],
      ['client'],
    ]);
  });

  it('reports the end of a call, by its response or by the disconnect of its client', async () => {
    const { call, release, post } = await setUp();
    const answered = vi.fn();
    const running = await call(1, 'answered', answered);
    expect(answered).not.toHaveBeenCalled();
    await release();
    await running.text();
    expect(answered.mock.calls).toEqual([['server']]);
    const left = vi.fn();
    await (await call(2, 'left', left)).body?.cancel();
    expect(left.mock.calls).toEqual([['client']]);
    const params = { requestId: 2 };
    await post({ jsonrpc: '2.0', method: 'notifications/cancelled', params });
    expect(left).toHaveBeenCalledOnce();
  });

  it.each(['is closed', 'is ended by its client'])(
    'answers calls in flight with an error when it %s, and drops their later messages',
    async (how) => {
      const { connection, call, release, progress } = await setUp();
      const calls = [await call(1, 'one'), await call(2, 'two')];
      await expect.poll(() => progress).toHaveLength(2);
      if (how === 'is closed') await connection.close();
      else {
        const request = new Request(URL, { method: 'DELETE', headers: HEADERS });
        const deleted = await connection.serve({ request, body: undefined, ...UNBOUNDED });
        expect(responseOf(deleted).status).toBe(200);
      }
      for (const [index, response] of calls.entries()) {
        const [, data = ''] = [...(await response.text()).matchAll(/^data: (\{.+)$/gm)].at(-1) ?? [];
        expect(JSON.parse(data)).toMatchObject({
          id: index + 1,
          error: { code: -32000, message: expect.stringMatching(/ended while .* Reconnect/) },
        });
      }
      await release();
    },
  );
});
