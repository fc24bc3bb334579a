import { describe, expect, it } from 'vitest';
import { MemoryQuota, type QuotaShare } from '../../limits/memory-quota.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { EVENT_LIMITS } from '../request/client-memory-limits.js';
import { EventBuffer } from './event-buffer.js';

const KEPT_MS = 120_000;
const STANDALONE = '_GET_stream';

function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const post = {};
  const all = new MemoryQuota(EVENT_LIMITS);
  const buffer = new EventBuffer({
    clock,
    deadlines,
    keptMs: KEPT_MS,
    kept: all.open(undefined),
    currentPost: () => post,
  });
  buffer.begin(post, 1);
  return { clock, deadlines, buffer, all, post };
}

const message = (text: string) =>
  ({ jsonrpc: '2.0', method: 'notifications/message', params: { text } }) as const;

/** Opens a stream as the SDK does for clients that can resume it. */
const prime = (buffer: EventBuffer, stream: string) =>
  buffer.storeEvent(stream, {} as ReturnType<typeof message>);

async function replay(buffer: EventBuffer, after: string): Promise<string[]> {
  const texts: string[] = [];
  await buffer.replayEventsAfter(after, {
    send: async (_id, sent) => void texts.push((sent as ReturnType<typeof message>).params.text),
  });
  return texts;
}

describe('EventBuffer', () => {
  it('replays the later events of the same stream only', async () => {
    const { buffer } = setUp();
    for (const stream of ['a', 'b']) await prime(buffer, stream);
    const first = await buffer.storeEvent('a', message('one'));
    await buffer.storeEvent('b', message('of another stream'));
    await buffer.storeEvent('a', message('two'));
    await buffer.storeEvent('a', message('three'));
    expect(await replay(buffer, first)).toEqual(['two', 'three']);
  });

  it('finds the stream of an event, and the standalone stream at any time', async () => {
    const { buffer } = setUp();
    await prime(buffer, 'a');
    const event = await buffer.storeEvent('a', message('one'));
    const ids = [
      event,
      `${STANDALONE}/1`,
      `${STANDALONE}/3`,
      `${STANDALONE}/0`,
      `${STANDALONE}/1e0`,
      'a/x',
      'c/1',
      '',
    ];
    expect(ids.map((id) => buffer.streamOf(id))).toEqual([
      'a',
      STANDALONE,
      ...Array.from({ length: 6 }, () => undefined),
    ]);
  });

  it('finds the stream of a call while the call is in flight, even without any of its events', async () => {
    const { buffer, clock, post } = setUp();
    const priming = await prime(buffer, 'call');
    expect(buffer.postOf('call')).toBe(post);
    for (let number = 0; number < 150; number++) await buffer.storeEvent(STANDALONE, message('another'));
    await clock.advance(2 * KEPT_MS);
    expect(buffer.size).toBe(0);
    expect(buffer.streamOf(priming)).toBe('call');
    await buffer.storeEvent('call', { jsonrpc: '2.0', id: 1, result: {} });
    expect(buffer.streamOf(priming)).toBe('call');
    await clock.advance(2 * KEPT_MS);
    expect(buffer.streamOf(priming)).toBeUndefined();
  });

  it('does not find events of another connection [security 8]', async () => {
    const mine = setUp().buffer;
    const theirs = setUp().buffer;
    for (const [buffer, stream] of [
      [theirs, 'a'],
      [mine, 'b'],
    ] as const)
      await prime(buffer, stream);
    const event = await theirs.storeEvent('a', message('of another user'));
    await mine.storeEvent('b', message('mine'));
    expect(await mine.getStreamIdForEventId(event)).toBeUndefined();
    await expect(replay(mine, event)).rejects.toThrow(RangeError);
  });

  it('replays the remaining events after an event that was dropped', async () => {
    const { buffer } = setUp();
    await prime(buffer, 'a');
    const first = await buffer.storeEvent('a', message('0'));
    for (let number = 1; number <= 150; number++) await buffer.storeEvent('a', message(String(number)));
    const texts = await replay(buffer, first);
    expect(texts).toHaveLength(100);
    expect([texts[0], texts.at(-1)]).toEqual(['51', '150']);
  });

  it('drops the oldest events above its share of bytes', async () => {
    const { buffer } = setUp();
    await prime(buffer, 'a');
    const large = 'x'.repeat(100 * 1024);
    for (let number = 0; number < 10; number++) await buffer.storeEvent('a', message(large));
    expect(buffer.size).toBe(2);
    await buffer.storeEvent('a', message('x'.repeat(300 * 1024)));
    expect(buffer.size).toBe(0);
  });

  it('drops events when all buffers together reach the shared limit', async () => {
    const { buffer, all } = setUp();
    const large = message('x'.repeat(10 * 1024));
    for (let number = 0; number < 10; number++) await buffer.storeEvent(STANDALONE, large);
    expect(buffer.size).toBe(10);
    const others: QuotaShare[] = [];
    for (
      let bytes = EVENT_LIMITS.maxBytes;
      bytes > EVENT_LIMITS.guaranteedBytes;
      bytes = Math.floor(bytes / 2)
    ) {
      for (let other = all.open(undefined); other.resize(bytes); other = all.open(undefined))
        others.push(other);
    }
    await buffer.storeEvent(STANDALONE, message('x'.repeat(20 * 1024)));
    expect(buffer.size).toBeLessThan(10);
    await buffer.storeEvent(STANDALONE, message('small'));
    expect(buffer.size).toBeGreaterThan(0);
    for (const other of others) other.release();
    expect(all.sharedBytes).toBeGreaterThan(0);
    buffer.clear();
    expect(all.sharedBytes).toBe(0);
  });

  it('drops each event when it expires, and leaves no deadline behind', async () => {
    const { buffer, clock, deadlines } = setUp();
    await prime(buffer, 'a');
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

  it('drops every event and its deadline when it is cleared', async () => {
    const { buffer, deadlines } = setUp();
    const event = await buffer.storeEvent(STANDALONE, message('one'));
    await buffer.storeEvent(STANDALONE, message('two'));
    buffer.clear();
    expect(deadlines.size).toBe(0);
    await buffer.storeEvent(STANDALONE, message('three'));
    expect(await replay(buffer, event)).toEqual(['three']);
  });

  it('stores no events of calls from before it was cleared', async () => {
    const { buffer, post } = setUp();
    const priming = await prime(buffer, 'call');
    buffer.clear();
    expect(buffer.streamOf(priming)).toBeUndefined();
    const progress = await buffer.storeEvent('call', message('progress'));
    const late = await buffer.storeEvent('unprimed', message('of a client that gets no priming event'));
    const answer = await buffer.storeEvent('call', { jsonrpc: '2.0', id: 1, result: {} });
    expect([progress, late, answer].map((id) => buffer.streamOf(id))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(late).toBe('');
    expect(buffer.size).toBe(0);
    buffer.begin(post, 1);
    await prime(buffer, 'next');
    const next = await buffer.storeEvent('next', message('kept'));
    expect(buffer.streamOf(next)).toBe('next');
  });

  it('stores no events of a stream without a priming event, and gives them no ids', async () => {
    const { buffer, all } = setUp();
    expect(await buffer.storeEvent('old', message('progress'))).toBe('');
    expect(await buffer.storeEvent('old', { jsonrpc: '2.0', id: 1, result: {} })).toBe('');
    expect([buffer.size, all.sharedBytes]).toEqual([0, 0]);
    expect(await buffer.storeEvent(STANDALONE, message('for every revision'))).toBe(`${STANDALONE}/1`);
  });

  it('gives every event of a batch an id, also after the first response', async () => {
    const { buffer, post } = setUp();
    buffer.begin(post, 2);
    const first = await prime(buffer, 'batch');
    await buffer.storeEvent('batch', { jsonrpc: '2.0', id: 1, result: {} });
    expect(buffer.isLast(await buffer.storeEvent('batch', message('progress')))).toBe(false);
    expect(await buffer.storeEvent('batch', { jsonrpc: '2.0', id: 2, result: {} })).toBe('batch/4');
    expect(buffer.isLast(first)).toBe(false);
  });

  it('recognizes the last event of a call, even when its events are dropped', async () => {
    const { buffer, clock } = setUp();
    const priming = await prime(buffer, 'call');
    const progress = await buffer.storeEvent('call', message('progress'));
    expect(buffer.isLast(progress)).toBe(false);
    const answer = await buffer.storeEvent('call', { jsonrpc: '2.0', id: 1, result: {} });
    expect([priming, progress, answer].map((id) => buffer.isLast(id))).toEqual([false, false, true]);
    await clock.advance(2 * KEPT_MS);
    expect([priming, progress, answer].map((id) => buffer.isLast(id))).toEqual([true, true, true]);
    const others = [`${STANDALONE}/1`, 'not an event id', ''];
    expect(others.map((id) => buffer.isLast(id))).toEqual([false, false, false]);
  });
});
