import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { EventBuffer } from './event-buffer.js';

const KEPT_MS = 120_000;
const STANDALONE = '_GET_stream';

function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const request = {};
  return {
    clock,
    deadlines,
    buffer: new EventBuffer({ clock, deadlines, keptMs: KEPT_MS, currentRequest: () => request }),
    request,
  };
}

const message = (text: string) =>
  ({ jsonrpc: '2.0', method: 'notifications/message', params: { text } }) as const;

async function replay(buffer: EventBuffer, after: string): Promise<string[]> {
  const texts: string[] = [];
  await buffer.replayEventsAfter(after, {
    send: async (_id, sent) => void texts.push((sent as ReturnType<typeof message>).params.text),
  });
  return texts;
}

describe('an event buffer', () => {
  it('gives back what came after an event on the same stream, and nothing of another', async () => {
    const { buffer } = setUp();
    const first = await buffer.storeEvent('a', message('one'));
    await buffer.storeEvent('b', message('of another stream'));
    await buffer.storeEvent('a', message('two'));
    await buffer.storeEvent('a', message('three'));
    expect(await replay(buffer, first)).toEqual(['two', 'three']);
  });

  it('knows on which stream an event was sent, and of the standalone one always', async () => {
    const { buffer } = setUp();
    const event = await buffer.storeEvent('a', message('one'));
    expect([event, `${STANDALONE}/7`, 'a/x', 'c/1', '', '/'].map((id) => buffer.streamOf(id))).toEqual([
      'a',
      STANDALONE,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
  });

  it('knows the stream of a call until it is answered, however long that takes and whatever else is sent', async () => {
    const { buffer, clock, request } = setUp();
    const priming = await buffer.storeEvent('call', {} as ReturnType<typeof message>);
    expect(buffer.streamBegunBy(request)).toBe('call');
    for (let number = 0; number < 150; number++) await buffer.storeEvent(STANDALONE, message('another'));
    await clock.advance(2 * KEPT_MS);
    expect(buffer.size).toBe(0);
    expect(buffer.streamOf(priming)).toBe('call');
    await buffer.storeEvent('call', { jsonrpc: '2.0', id: 1, result: {} });
    expect(buffer.streamOf(priming)).toBe('call');
    await clock.advance(2 * KEPT_MS);
    expect(buffer.streamOf(priming)).toBeUndefined();
  });

  it('knows nothing of an event of another connection [security 8]', async () => {
    const mine = setUp().buffer;
    const event = await setUp().buffer.storeEvent('a', message('of somebody else'));
    await mine.storeEvent('b', message('mine'));
    expect(await mine.getStreamIdForEventId(event)).toBeUndefined();
    await expect(replay(mine, event)).rejects.toThrow(RangeError);
  });

  it('goes on from an event that it has dropped, with what it still has of that stream', async () => {
    const { buffer } = setUp();
    const first = await buffer.storeEvent('a', message('0'));
    for (let number = 1; number <= 150; number++) await buffer.storeEvent('a', message(String(number)));
    const texts = await replay(buffer, first);
    expect(texts).toHaveLength(100);
    expect([texts[0], texts.at(-1)]).toEqual(['51', '150']);
  });

  it('keeps no more than its share of text, however few the events', async () => {
    const { buffer } = setUp();
    const large = 'x'.repeat(100 * 1024);
    for (let number = 0; number < 10; number++) await buffer.storeEvent('a', message(large));
    expect(buffer.size).toBe(2);
    await buffer.storeEvent('a', message('x'.repeat(300 * 1024)));
    expect(buffer.size).toBe(0);
  });

  it('forgets events when their time is over, each in its turn, and leaves no deadline behind', async () => {
    const { buffer, clock, deadlines } = setUp();
    const first = await buffer.storeEvent('a', message('one'));
    await clock.advance(KEPT_MS / 2);
    await buffer.storeEvent('a', message('two'));
    await clock.advance(KEPT_MS / 2 + 100);
    expect(buffer.size).toBe(1);
    expect(await replay(buffer, first)).toEqual(['two']);
    await clock.advance(KEPT_MS);
    expect(buffer.size).toBe(0);
    expect(deadlines.size).toBe(0);
  });

  it('forgets every event at once when it is cleared, and its deadline', async () => {
    const { buffer, deadlines } = setUp();
    const event = await buffer.storeEvent('a', message('one'));
    await buffer.storeEvent('a', message('two'));
    buffer.clear();
    expect(deadlines.size).toBe(0);
    await buffer.storeEvent('a', message('three'));
    expect(await replay(buffer, event)).toEqual(['three']);
  });
});
