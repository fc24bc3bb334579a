import { describe, expect, it, vi } from 'vitest';
import { SessionEvents } from '../session/session-events.js';
import { SessionBench } from '../testing/session-bench.js';
import { isEventStream } from './event-stream.js';
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
  return { bench, events, streams: new ListenStreams({ registry, events, clock, deadlines }) };
}

/** What the SDK answers: an acknowledgement, unless there is none. */
function answer(acknowledgement?: string) {
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      if (acknowledgement === undefined) controller.close();
      else controller.enqueue(new TextEncoder().encode(`data: ${acknowledgement}\n\n`));
    },
  });
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  if (!isEventStream(response)) throw new Error('That is no event stream.');
  return response;
}

const UNBOUNDED = { hangUp: undefined, endsAtMs: undefined };

describe('the listen streams', () => {
  it('forget a stream that was over before it was acknowledged', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await streams.hold(record.ref, LISTEN, answer(), UNBOUNDED);
    expect(streams.size).toBe(0);
    expect(bench.registry.presenceOf(record.ref).openStreams).toBe(0);
  });

  it('end a stream whose session ended while it was opened [security 10]', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await bench.registry.end(record.ref, 'logout');
    const response = await streams.hold(record.ref, LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(await response.text()).toMatch(/"acknowledged".*\n\n.*\n.*"resultType":"complete"/);
    expect(streams.size).toBe(0);
  });

  it('leave nothing open when the store fails meanwhile', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    vi.spyOn(bench.registry, 'get').mockRejectedValue(new Error('The store is down.'));
    const response = await streams.hold(record.ref, LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(streams.size).toBe(1);
    await response.body?.cancel();
    expect(streams.size).toBe(0);
  });

  it('forget a stream when its client goes, and the session may have another', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    const held: Response[] = [];
    for (let number = 0; number < 4; number++) {
      held.push(await streams.hold(record.ref, LISTEN, answer('"acknowledged"'), UNBOUNDED));
    }
    expect([streams.hasRoomFor(record.ref), streams.hasRoomFor(undefined)]).toEqual([false, true]);
    await held[0]?.body?.cancel();
    expect([streams.hasRoomFor(record.ref), streams.size]).toEqual([true, 3]);
  });

  it('are bounded in number where they name no session, whoever opens them', async () => {
    const { streams } = setUp();
    const held: Response[] = [];
    for (let number = 0; number < 500; number++) {
      held.push(await streams.hold(undefined, LISTEN, answer('"acknowledged"'), UNBOUNDED));
    }
    expect(streams.hasRoomFor(undefined)).toBe(false);
    await held[7]?.body?.cancel();
    expect(streams.hasRoomFor(undefined)).toBe(true);
    for (const response of held) await response.body?.cancel();
    expect(streams.size).toBe(0);
  });
});
