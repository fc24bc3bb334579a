import { describe, expect, it, vi } from 'vitest';
import { clientKeyOf } from '../../limits/client-key.js';
import { SessionEvents } from '../../session/session-events.js';
import type { SessionRecord } from '../../session/session-record.js';
import { SessionBench } from '../../testing/session-bench.js';
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
  if (!isSseResponse(response)) throw new Error('That is no event stream.');
  return response;
}

const NOBODY = { ref: undefined, clientKey: undefined };
const inTheNameOf = ({ ref }: SessionRecord) => ({ ref, clientKey: undefined });
const UNBOUNDED = { closeConnection: undefined, endsAtMs: undefined };

describe('the listen streams', () => {
  it('forget a stream that was over before it was acknowledged', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await streams.hold(inTheNameOf(record), LISTEN, answer(), UNBOUNDED);
    expect(streams.size).toBe(0);
    expect(bench.registry.presenceOf(record.ref).openStreams).toBe(0);
  });

  it('end a stream whose session ended while it was opened [security 10]', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    await bench.registry.end(record.ref, 'logout');
    const response = await streams.hold(inTheNameOf(record), LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(await response.text()).toMatch(/"acknowledged".*\n\n.*\n.*"resultType":"complete"/);
    expect(streams.size).toBe(0);
  });

  it('leave nothing open when the store fails meanwhile', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    vi.spyOn(bench.registry, 'get').mockRejectedValue(new Error('The store is down.'));
    const response = await streams.hold(inTheNameOf(record), LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(streams.size).toBe(1);
    await response.body?.cancel();
    expect(streams.size).toBe(0);
  });

  it('forget a stream when its client goes, and the session may have another', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    const held: Response[] = [];
    for (let number = 0; number < 4; number++) {
      held.push(await streams.hold(inTheNameOf(record), LISTEN, answer('"acknowledged"'), UNBOUNDED));
    }
    expect([streams.hasRoomFor(inTheNameOf(record)), streams.hasRoomFor(NOBODY)]).toEqual([false, true]);
    await held[0]?.body?.cancel();
    expect([streams.hasRoomFor(inTheNameOf(record)), streams.size]).toEqual([true, 3]);
  });

  it('are bounded in number where they name no session, whoever opens them', async () => {
    const { streams } = setUp();
    const held: Response[] = [];
    for (let number = 0; number < 500; number++) {
      held.push(await streams.hold(NOBODY, LISTEN, answer('"acknowledged"'), UNBOUNDED));
    }
    expect(streams.hasRoomFor(NOBODY)).toBe(false);
    await held[7]?.body?.cancel();
    expect(streams.hasRoomFor(NOBODY)).toBe(true);
    for (const response of held) await response.body?.cancel();
    expect(streams.size).toBe(0);
  });

  it('of one address that name no session leave room for those of others [security 40, 41]', async () => {
    const { bench, streams } = setUp();
    const { record } = await bench.loggedIn('alice', 'handle');
    const greedy = clientKeyOf('192.0.2.1');
    const held: Response[] = [];
    for (let number = 0; number < 50; number++) {
      held.push(
        await streams.hold(
          { ref: undefined, clientKey: greedy },
          LISTEN,
          answer('"acknowledged"'),
          UNBOUNDED,
        ),
      );
    }
    const hasRoom = (ref: SessionRecord['ref'] | undefined, address: string) =>
      streams.hasRoomFor({ ref, clientKey: clientKeyOf(address) });
    expect(hasRoom(undefined, '192.0.2.1')).toBe(false);
    expect(hasRoom(record.ref, '192.0.2.1')).toBe(true);
    expect(hasRoom(undefined, '192.0.2.2')).toBe(true);
    await held[0]?.body?.cancel();
    expect(hasRoom(undefined, '192.0.2.1')).toBe(true);
  });

  /** Fills the node: ten addresses have as many as one may. */
  async function fill(streams: ListenStreams): Promise<Response[]> {
    const held: Response[] = [];
    for (let number = 0; number < 500; number++) {
      const clientKey = clientKeyOf(`192.0.2.${number % 10}`);
      const body = { ...LISTEN, id: `stream-${number}` };
      held.push(await streams.hold({ ref: undefined, clientKey }, body, answer('"acknowledged"'), UNBOUNDED));
    }
    return held;
  }

  it('of addresses that have many make room for an address that has fewer [security 41]', async () => {
    const { streams } = setUp();
    const held = await fill(streams);
    const neighbour = { ref: undefined, clientKey: clientKeyOf('198.51.100.1') };
    expect(streams.hasRoomFor(neighbour)).toBe(true);
    await streams.hold(neighbour, LISTEN, answer('"acknowledged"'), UNBOUNDED);
    expect(streams.size).toBe(500);
    // The end that the client understands: it may open another one.
    expect(await held[0]?.text()).toMatch(
      /"acknowledged".*\n\n.*\n.*"id":"stream-0".*"resultType":"complete"/,
    );
    expect(streams.hasRoomFor({ ref: undefined, clientKey: clientKeyOf('192.0.2.1') })).toBe(false);
  });

  it('make room until all have as many, and then for nobody: streams do not push each other out in turn [security 41]', async () => {
    const { streams } = setUp();
    await fill(streams);
    const neighbour = { ref: undefined, clientKey: clientKeyOf('198.51.100.1') };
    let opened = 0;
    while (streams.hasRoomFor(neighbour)) {
      await streams.hold(neighbour, LISTEN, answer('"acknowledged"'), UNBOUNDED);
      opened++;
    }
    expect(opened).toBe(45);
    const others = Array.from({ length: 10 }, (_, number) => clientKeyOf(`192.0.2.${number}`));
    expect(others.some((clientKey) => streams.hasRoomFor({ ref: undefined, clientKey }))).toBe(false);
    expect(streams.size).toBe(500);
  });
});
