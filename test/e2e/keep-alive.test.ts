import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { createLatch, type Latch } from '../support/latch.js';
import { connect2025, type RawClient, request2026, startLogin } from '../support/raw-mcp.js';
import { CUTS, startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { eventContaining, openWire, primingId, Wire2025, type WireStream } from './wire-stream.js';

const PING_INTERVAL_MS = 25_000;
const PROBE_MS = 2_000;
/** The time after which a silently disconnected client does not count as present. */
const FOUND_OUT_MS = 60_000;
const GRACE_MS = 60_000;
const IDLE_MS = 30 * 60 * 1000;
const HOUR_MS = 60 * 60 * 1000;

const pingSchema = z.object({ method: z.literal('ping'), id: z.string() });

let clock: VirtualClock;
let provider: FaultingProvider;
let sessions: Sessions;
let events: SessionEvent[];
let released: Latch;
let proxy: TcpProxy;
let mcp: string;
let client: RawClient;
let wire: Wire2025;

// Real connections, and a clock that only the test advances.
beforeEach(async () => {
  clock = new VirtualClock();
  provider = new FaultingProvider();
  released = createLatch();
  events = [];
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    providers: provider.options,
    lifetimes: { shutdownDrainMs: 0, disconnectGraceMs: GRACE_MS },
    runtime: { fetch: provider.fetch, clock },
    tools: (server) => {
      server.server.registerCapabilities({ logging: {} });
      server.registerTool('say', { description: 'Speaks on the standalone stream.' }, async () => {
        await server.server.sendLoggingMessage({ level: 'info', data: 'said' });
        return { content: [] };
      });
      server.registerTool('hold', { description: 'Says so, and waits for release.' }, async ({ mcpReq }) => {
        const params = { progressToken: 'progress', progress: 1 };
        await mcpReq.notify({ method: 'notifications/progress', params });
        await released.opened;
        return { content: [{ type: 'text', text: 'released' }] };
      });
    },
  });
  sessions.onEvent((event) => events.push(event));
  ({ url: mcp } = await sessions.listen({ port: 0 }));
  proxy = await startTcpProxy(mcp);
  client = await connect2025(mcp);
  wire = new Wire2025(client.secret);
});

afterEach(async () => {
  await proxy.close();
  await sessions.close();
});

async function logInAs(user: string): Promise<void> {
  const { code } = await logIn(sessions, await startLogin(client), { provider, user });
  const { structured } = await client.call('login', code === undefined ? {} : { code });
  expect(structured).toMatchObject({ account: { subject: user } });
}

/** The ids of the pings of a stream, when it has carried that many. */
function pingsOn(stream: WireStream, count: number): Promise<string[]> {
  return stream.events.until(`${count} pings`, (entries) => {
    const messages = entries.map(({ data }) => pingSchema.safeParse(data && JSON.parse(data)));
    const pings = messages.flatMap(({ data }) => data?.id ?? []);
    return pings.length >= count ? pings : undefined;
  });
}

/** Advances the clock by a ping interval, and answers the `count`th ping of the stream. */
async function passAndAnswer(stream: WireStream, count: number): Promise<void> {
  await clock.advance(PING_INTERVAL_MS);
  const ids = await pingsOn(stream, count);
  expect(ids).toHaveLength(count);
  await answer(ids.at(-1));
}

async function answer(ping: string | undefined): Promise<void> {
  expect((await wire.post(mcp, { id: ping, result: {} })).status).toBe(202);
}

/** Opens another stream after the proxy has cut the first one. */
async function takePlace(): Promise<WireStream> {
  const before = proxy.swallowed.entries.length;
  const next = wire.listen(mcp);
  // The new stream waits for the ping on the old one.
  await proxy.swallowed.until(
    'a ping',
    (said) => said.slice(before).join('').includes('"ping"') || undefined,
  );
  await clock.advance(PROBE_MS);
  return next;
}

async function expectOpen(stream: WireStream): Promise<void> {
  await client.call('say');
  await eventContaining(stream, 'said');
}

describe('the standalone stream of a 2025 client', () => {
  it('[security 5] stays open while its client answers pings', async () => {
    const stream = await wire.listen(mcp);
    for (let count = 1; count <= 6; count++) await passAndAnswer(stream, count);
    const second = wire.listen(mcp);
    await answer((await pingsOn(stream, 7)).at(-1));
    expect((await second).status).toBe(409);
    await expectOpen(stream);
  });

  it.each(['never answered', 'has answered until now'])(
    '[security 5] of a client that %s is replaced two seconds after the client opens another one',
    async (past) => {
      const silent = await wire.listen(proxy.through(mcp));
      if (past === 'has answered until now') await passAndAnswer(silent, 1);
      proxy.goSilent();
      const next = await takePlace();
      expect(next.status).toBe(200);
      await expectOpen(next);
    },
  );

  it.each(CUTS)('[security 5] that is cut by %s is replaced at once', async (cut) => {
    await logInAs('alice');
    const first = await wire.listen(proxy.through(mcp));
    expect(first.status).toBe(200);
    const isPresent = async () =>
      (await client.call('session_status')).structured.idleExpiresInSeconds === undefined;
    expect(await isPresent()).toBe(true);
    proxy.cut(cut);
    await first.over;
    // The clock does not move, so that no ping shows that the stream is broken.
    await expect.poll(isPresent).toBe(false);
    const second = await wire.listen(mcp);
    expect(second.status).toBe(200);
    await expectOpen(second);
    expect(await isPresent()).toBe(true);
  });

  it('[security 5] is not kept by responses to pings that were never sent', async () => {
    await wire.listen(proxy.through(mcp));
    proxy.goSilent();
    await clock.advance(PING_INTERVAL_MS);
    for (const id of ['ping-0', 'ping-99', 'ping-', 'ping']) await wire.post(mcp, { id, result: {} });
    const next = takePlace();
    for (const id of ['ping-0', 'ping-99', 'ping-', 'ping']) await wire.post(mcp, { id, result: {} });
    expect((await next).status).toBe(200);
  });
});

describe('a client that disconnects silently', () => {
  const signedOut = () =>
    events.flatMap((event) => (event.type === 'session.signed_out' ? event.reason : []));

  it('[security 34, 36] is signed out when idle, gets the reason when it returns, and can log in again', async () => {
    await logInAs('alice');
    await wire.listen(proxy.through(mcp));
    proxy.goSilent();
    await clock.advance(FOUND_OUT_MS + GRACE_MS);
    expect(signedOut()).toEqual([]);
    await clock.advance(IDLE_MS);
    expect(signedOut()).toEqual(['idle']);
    expect(provider.livingUsers()).toEqual([]);
    expect((await client.call('session_status')).structured).toMatchObject({
      state: 'anonymous',
      signedOut: 'idle',
    });
    const back = await takePlace();
    expect(back.status).toBe(200);
    await logInAs('alice');
    await expectOpen(back);
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
  });

  it('[security 36] continues with its login when it opens another stream in time', async () => {
    await logInAs('alice');
    const lost = await wire.listen(proxy.through(mcp));
    proxy.cutClientHalf('RST');
    await lost.over;
    const back = await takePlace();
    await clock.advance(GRACE_MS + HOUR_MS / 3);
    expect(signedOut()).toEqual([]);
    await expectOpen(back);
  });
});

describe('a stream for a client that sends `Connection: close`', () => {
  // Every request has this header.
  it.each<[stream: string, open: () => Promise<WireStream>]>([
    ['the standalone stream', () => wire.listen(mcp)],
    ['the stream of a 2025 call', () => wire.call(mcp, 'hold')],
    [
      'a listen stream',
      () => openWire(mcp, request2026('subscriptions/listen', { notifications: { toolsListChanged: true } })),
    ],
  ])('is answered with it: %s', async (_, open) => {
    const stream = await open();
    expect(stream.headers).toMatchObject({ 'content-type': 'text/event-stream', connection: 'close' });
    stream.drop();
  });
});

describe('a 2025 call whose stream is cut', () => {
  it('can be resumed after any time', async () => {
    const stream = await wire.call(proxy.through(mcp), 'hold');
    const lastEventId = await primingId(stream);
    await clock.advance(HOUR_MS);
    proxy.cut('RST');
    await stream.over;
    const resumed = await wire.listen(mcp, { lastEventId });
    released.open();
    await eventContaining(resumed, 'released');
  });

  it('can be resumed after many other messages', async () => {
    const stream = await wire.call(proxy.through(mcp), 'hold');
    const lastEventId = await primingId(stream);
    proxy.cut('RST');
    await stream.over;
    for (let count = 0; count < 200; count++) await client.call('say');
    const resumed = await wire.listen(mcp, { lastEventId });
    released.open();
    await eventContaining(resumed, 'released');
  });

  it('cannot be resumed after the grace', async () => {
    const stream = await wire.call(proxy.through(mcp), 'hold');
    const lastEventId = await primingId(stream);
    proxy.cut('RST');
    await stream.over;
    released.open();
    await clock.advance(HOUR_MS);
    expect((await wire.listen(mcp, { lastEventId })).status).toBe(204);
    await expectOpen(await wire.listen(mcp));
  });
});
