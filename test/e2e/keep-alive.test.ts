import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createSessions, type SessionEvent, type Sessions } from '../../packages/sessions/src/index.js';
import { FaultingProvider, logIn, VirtualClock } from '../../packages/sessions/src/testing/index.js';
import { createLatch, type Latch } from '../support/latch.js';
import { connect2025, type RawClient, request2026, startLogin } from '../support/raw-mcp.js';
import { CUTS, startTcpProxy, type TcpProxy } from './tcp-proxy.js';
import { heard, openWire, primingId, Wire2025, type WireStream } from './wire-stream.js';

const PING_INTERVAL_MS = 25_000;
const PROBE_MS = 10_000;
/** Within this a client that is gone without a word is found out. */
const FOUND_OUT_MS = 60_000;
const GRACE_MS = 60_000;
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

// Real connections, and a clock that only the test moves.
beforeEach(async () => {
  clock = new VirtualClock();
  provider = new FaultingProvider();
  released = createLatch();
  events = [];
  sessions = createSessions({
    server: { name: 'test', version: '1.0.0' },
    provider: provider.options,
    apiOrigins: ['https://api.test'],
    lifetimes: { shutdownDrainMs: 0, disconnectGraceMs: GRACE_MS },
    runtime: { fetch: provider.fetch, clock },
    tools: (server) => {
      server.server.registerCapabilities({ logging: {} });
      server.registerTool('say', { description: 'Speaks on the standalone stream.' }, async () => {
        await server.server.sendLoggingMessage({ level: 'info', data: 'said' });
        return { content: [] };
      });
      server.registerTool('hold', { description: 'Waits for release.' }, async () => {
        await released.opened;
        return { content: [{ type: 'text', text: 'released' }] };
      });
    },
  });
  sessions.subscribe((event) => events.push(event));
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
  const { code } = await logIn(sessions, await startLogin(client), provider, user);
  const { structured } = await client.call('login', code === undefined ? {} : { code });
  expect(structured).toMatchObject({ account: { subject: user } });
}

/** The ids of the pings that a stream has carried so far, once there are so many. */
function pingsOn(stream: WireStream, count: number): Promise<string[]> {
  return stream.events.until(`${count} pings`, (entries) => {
    const messages = entries.map(({ data }) => pingSchema.safeParse(data && JSON.parse(data)));
    const pings = messages.flatMap(({ data }) => data?.id ?? []);
    return pings.length >= count ? pings : undefined;
  });
}

/** Lets a ping interval pass, and answers the ping that comes, the `count`th of its stream. */
async function passAndAnswer(stream: WireStream, count: number): Promise<void> {
  await clock.advance(PING_INTERVAL_MS);
  const ids = await pingsOn(stream, count);
  expect(ids).toHaveLength(count);
  expect((await wire.post(mcp, { id: ids.at(-1), result: {} })).status).toBe(202);
}

async function expectOpen(stream: WireStream): Promise<void> {
  await client.call('say');
  await heard(stream, 'said');
}

describe('the standalone stream of a 2025 client', () => {
  it('[security 5] stays for as long as its client answers the pings that it carries', async () => {
    const stream = await wire.listen(mcp);
    for (let count = 1; count <= 6; count++) await passAndAnswer(stream, count);
    expect((await wire.listen(mcp)).status).toBe(409);
    await expectOpen(stream);
  });

  it.each(['never answered', 'has answered until now'])(
    '[security 5] of a client that %s is closed within a minute of its silence',
    async (past) => {
      const silent = await wire.listen(proxy.through(mcp));
      if (past === 'has answered until now') await passAndAnswer(silent, 1);
      proxy.goSilent();
      await clock.advance(FOUND_OUT_MS);
      const next = await wire.listen(mcp);
      expect(next.status).toBe(200);
      await expectOpen(next);
    },
  );

  it.each(CUTS)('[security 5] that is cut by %s makes room for the next one, without a ping', async (cut) => {
    await logInAs('alice');
    const first = await wire.listen(proxy.through(mcp));
    expect(first.status).toBe(200);
    const isPresent = async () =>
      (await client.call('session_status')).structured.idleExpiresInSeconds === undefined;
    expect(await isPresent()).toBe(true);
    proxy.cut(cut);
    await first.over;
    // The clock stands still: no write to the stream shows that it is broken. Nor does a request for its place.
    await expect.poll(isPresent).toBe(false);
    const second = await wire.listen(mcp);
    expect(second.status).toBe(200);
    await expectOpen(second);
    expect(await isPresent()).toBe(true);
  });

  it('[security 5] has ten seconds to answer when another wants its place', async () => {
    await wire.listen(proxy.through(mcp));
    proxy.goSilent();
    expect((await wire.listen(mcp)).status).toBe(409);
    await clock.advance(PROBE_MS - 1);
    expect((await wire.listen(mcp)).status).toBe(409);
    await clock.advance(1);
    expect((await wire.listen(mcp)).status).toBe(200);
  });

  it('[security 5] is not kept by answers to pings that were never sent', async () => {
    await wire.listen(proxy.through(mcp));
    proxy.goSilent();
    await clock.advance(PING_INTERVAL_MS);
    for (const id of ['ping-0', 'ping-99', 'ping-', 'ping']) await wire.post(mcp, { id, result: {} });
    await clock.advance(FOUND_OUT_MS - PING_INTERVAL_MS);
    expect((await wire.listen(mcp)).status).toBe(200);
  });
});

describe('a client that goes away without a word', () => {
  it('[security 34, 36] is signed out after the grace, told so when it comes back, and can log in again', async () => {
    await logInAs('alice');
    await wire.listen(proxy.through(mcp));
    proxy.goSilent();
    await clock.advance(FOUND_OUT_MS);
    const isSignedOut = () => events.some(({ type }) => type === 'session.signed_out');
    expect(isSignedOut()).toBe(false);
    await clock.advance(GRACE_MS);
    expect(isSignedOut()).toBe(true);
    expect(provider.livingUsers()).toEqual([]);
    expect((await client.call('session_status')).structured).toMatchObject({
      state: 'anonymous',
      signedOut: 'disconnect',
    });
    const back = await wire.listen(mcp);
    expect(back.status).toBe(200);
    await logInAs('alice');
    await expectOpen(back);
    expect((await client.call('session_status')).structured).toMatchObject({ state: 'authenticated' });
  });
});

describe('a stream for a client that sends `Connection: close`', () => {
  // Every request of these is sent with it.
  it.each<[stream: string, open: () => Promise<WireStream>]>([
    ['the standalone stream', () => wire.listen(mcp)],
    ['the stream of a 2025 call', () => wire.call(mcp, 'say')],
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
  it('can be resumed however long it has been running', async () => {
    const stream = await wire.call(proxy.through(mcp), 'hold');
    const lastEventId = await primingId(stream);
    await clock.advance(HOUR_MS);
    proxy.cut('RST');
    await stream.over;
    const resumed = await wire.listen(mcp, { lastEventId });
    released.open();
    await heard(resumed, 'released');
  });

  it('can be resumed whatever else its session is sent meanwhile', async () => {
    const stream = await wire.call(proxy.through(mcp), 'hold');
    const lastEventId = await primingId(stream);
    proxy.cut('RST');
    await stream.over;
    for (let count = 0; count < 200; count++) await client.call('say');
    const resumed = await wire.listen(mcp, { lastEventId });
    released.open();
    await heard(resumed, 'released');
  });

  it('is not kept for ever', async () => {
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
