import { describe, expect, it, vi } from 'vitest';
import { SessionBench } from '../../../../../test/support/session-bench.js';
import { clientKeyOf } from '../../limits/client-key.js';
import { SessionEvents } from '../../session/session-events.js';
import type { SessionRecord } from '../../session/session-record.js';
import { isSseResponse } from '../wire/sse-stream.js';
import { ListenStreams } from './listen-streams.js';

const LISTEN = {
  id: 7,
  method: 'subscriptions/listen',
  params: { notifications: { resourceSubscriptions: ['session://status'] } },
};

function setUp() {
  const bench = new SessionBench();
  const events = new SessionEvents((error) => bench.errors.push(error));
  const { registry, clock, deadlines } = bench;
  const streams = new ListenStreams({ registry, clock, deadlines });
  events.subscribe((event) => streams.handleEvent(event));
  return { bench, events, streams };
}

/** A response of the SDK, with or without an acknowledgement. */
function answer(acknowledgement?: string) {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (acknowledgement === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(`data: ${acknowledgement}\n\n`));
    },
  });
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  if (!isSseResponse(response)) throw new Error('The response is not an event stream.');
  return response;
}

const WITHOUT_SESSION = { ref: undefined, clientKey: undefined };
const subscriberOf = ({ ref }: SessionRecord) => ({ ref, clientKey: undefined });
const UNBOUNDED = { closeConnection: undefined, endsAtMs: undefined };

describe('ListenStreams', () => {
  it('removes a stream that ended before the acknowledgement', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await streams.add(subscriberOf(record), LISTEN, answer(), UNBOUNDED);
    expect(streams.size).toBe(0);
    expect(bench.registry.presenceOf(record.ref).openStreams).toBe(0);
  });

  it('ends a stream if its session ended while the stream was being opened [security 10]', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await bench.registry.end(record.ref, 'logout');
    const response = await streams.add(subscriberOf(record), LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(await response.text()).toMatch(/"acknowledged".*\n\n.*\n.*"resultType":"complete"/);
    expect(streams.size).toBe(0);
  });

  it('opens and closes a stream while the store fails', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    vi.spyOn(bench.registry, 'get').mockRejectedValue(new Error('The store is down.'));
    const response = await streams.add(subscriberOf(record), LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(streams.size).toBe(1);
    await response.body?.cancel();
    expect(streams.size).toBe(0);
  });

  it('allows a session four streams, and another one after a client has closed one', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    const responses: Response[] = [];
    for (let number = 0; number < 4; number++) {
      responses.push(await streams.add(subscriberOf(record), LISTEN, answer('"acknowledged"'), UNBOUNDED));
    }
    expect([streams.hasRoomFor(subscriberOf(record)), streams.hasRoomFor(WITHOUT_SESSION)]).toEqual([
      false,
      true,
    ]);
    await responses[0]?.body?.cancel();
    expect([streams.hasRoomFor(subscriberOf(record)), streams.size]).toEqual([true, 3]);
  });

  it('allows at most 500 streams without a session', async () => {
    const { streams } = setUp();
    const responses: Response[] = [];
    for (let number = 0; number < 500; number++) {
      responses.push(await streams.add(WITHOUT_SESSION, LISTEN, answer('"acknowledged"'), UNBOUNDED));
    }
    expect(streams.hasRoomFor(WITHOUT_SESSION)).toBe(false);
    await responses[7]?.body?.cancel();
    expect(streams.hasRoomFor(WITHOUT_SESSION)).toBe(true);
    for (const response of responses) await response.body?.cancel();
    expect(streams.size).toBe(0);
  });

  it('allows one address at most 50 streams without a session, and other addresses more [security 40, 41]', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    const greedy = clientKeyOf('192.0.2.1');
    const responses: Response[] = [];
    for (let number = 0; number < 50; number++) {
      responses.push(
        await streams.add({ ref: undefined, clientKey: greedy }, LISTEN, answer('"acknowledged"'), UNBOUNDED),
      );
    }
    const hasRoom = (ref: SessionRecord['ref'] | undefined, address: string) =>
      streams.hasRoomFor({ ref, clientKey: clientKeyOf(address) });
    expect(hasRoom(undefined, '192.0.2.1')).toBe(false);
    expect(hasRoom(record.ref, '192.0.2.1')).toBe(true);
    expect(hasRoom(undefined, '192.0.2.2')).toBe(true);
    await responses[0]?.body?.cancel();
    expect(hasRoom(undefined, '192.0.2.1')).toBe(true);
  });

  /** Fills the node: each of ten addresses has as many streams as it may have. */
  async function fill(streams: ListenStreams): Promise<Response[]> {
    const responses: Response[] = [];
    for (let number = 0; number < 500; number++) {
      const clientKey = clientKeyOf(`192.0.2.${number % 10}`);
      const body = { ...LISTEN, id: `stream-${number}` };
      responses.push(
        await streams.add({ ref: undefined, clientKey }, body, answer('"acknowledged"'), UNBOUNDED),
      );
    }
    return responses;
  }

  it('evicts a stream of the address with the most for an address with fewer [security 41]', async () => {
    const { streams } = setUp();
    const responses = await fill(streams);
    const neighbour = { ref: undefined, clientKey: clientKeyOf('198.51.100.1') };
    expect(streams.hasRoomFor(neighbour)).toBe(true);
    await streams.add(neighbour, LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(streams.size).toBe(500);
    // The graceful closure, after which the client may open another stream.
    expect(await responses[0]?.text()).toMatch(
      /"acknowledged".*\n\n.*\n.*"id":"stream-0".*"resultType":"complete"/,
    );
    expect(streams.hasRoomFor({ ref: undefined, clientKey: clientKeyOf('192.0.2.1') })).toBe(false);
  });

  it('evicts no stream once all addresses have equally many [security 41]', async () => {
    const { streams } = setUp();
    await fill(streams);
    const neighbour = { ref: undefined, clientKey: clientKeyOf('198.51.100.1') };
    let opened = 0;
    while (streams.hasRoomFor(neighbour)) {
      await streams.add(neighbour, LISTEN, answer('"acknowledged"'), UNBOUNDED);
      opened++;
    }
    expect(opened).toBe(45);
    const others = Array.from({ length: 10 }, (_, number) => clientKeyOf(`192.0.2.${number}`));
    expect(others.some((clientKey) => streams.hasRoomFor({ ref: undefined, clientKey }))).toBe(false);
    expect(streams.size).toBe(500);
  });
});
