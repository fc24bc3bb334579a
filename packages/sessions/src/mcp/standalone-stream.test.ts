import { describe, expect, it, vi } from 'vitest';
import type { StreamCloser } from '../session/presence.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { isEventStream } from './event-stream.js';
import { isPingAnswer, StandaloneStream } from './standalone-stream.js';

const SECOND_MS = 1000;

function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const response = new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } });
  if (!isEventStream(response)) throw new Error('That is no event stream.');
  const ends: StreamCloser[] = [];
  const hangUp = vi.fn();
  const stream = new StandaloneStream(response, { clock, deadlines, hangUp, onEnd: (by) => ends.push(by) });
  const pings: string[] = [];
  const reader = stream.response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      for (const [, id = ''] of next.value.matchAll(/"id":"([^"]+)","method":"ping"/g)) pings.push(id);
    }
  };
  void read();
  const answer = () => stream.takeAnswer({ jsonrpc: '2.0', id: pings.at(-1), result: {} });
  const leave = () => reader?.cancel();
  return { clock, deadlines, stream, pings, answer, leave, ends, hangUp };
}

describe('a standalone stream', () => {
  it('goes on as long as its client answers its pings', async () => {
    const { clock, pings, answer, ends } = setUp();
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(25 * SECOND_MS);
      answer();
    }
    expect(pings).toHaveLength(60);
    expect(new Set(pings).size).toBe(60);
    expect(ends).toEqual([]);
  });

  it('is given up within a minute when its client does not answer [security 5]', async () => {
    const { clock, deadlines, ends, hangUp } = setUp();
    await clock.advance(49 * SECOND_MS);
    expect(ends).toEqual([]);
    await clock.advance(11 * SECOND_MS);
    expect(ends).toEqual(['client']);
    expect(hangUp).toHaveBeenCalledOnce();
    expect(deadlines.size).toBe(0);
  });

  it('takes no answer but that to its latest ping', async () => {
    const { clock, stream, ends } = setUp();
    await clock.advance(25 * SECOND_MS);
    for (const id of ['ping-0', 'ping-2', 1, undefined])
      stream.takeAnswer({ jsonrpc: '2.0', id, result: {} });
    await clock.advance(25 * SECOND_MS + 100);
    expect(ends).toEqual(['client']);
  });

  it('has ten seconds to show that it is there when another one wants its place [security 5]', async () => {
    const { clock, stream, pings, ends } = setUp();
    stream.probe();
    stream.probe();
    await clock.advance(9 * SECOND_MS);
    expect(pings).toHaveLength(1);
    expect(ends).toEqual([]);
    await clock.advance(2 * SECOND_MS);
    expect(ends).toEqual(['client']);
  });

  it('keeps its place when it answers, and is asked again as usual', async () => {
    const { clock, stream, answer, pings, ends } = setUp();
    stream.probe();
    await clock.advance(SECOND_MS);
    answer();
    await clock.advance(24 * SECOND_MS);
    expect(pings).toHaveLength(1);
    await clock.advance(2 * SECOND_MS);
    expect(pings).toHaveLength(2);
    stream.probe();
    await clock.advance(11 * SECOND_MS);
    expect(ends).toEqual(['client']);
  });

  it('stops asking when its client has gone', async () => {
    const { clock, deadlines, leave, pings, ends } = setUp();
    await leave();
    await clock.advance(60 * SECOND_MS);
    expect(ends).toEqual(['client']);
    expect(pings).toEqual([]);
    expect(deadlines.size).toBe(0);
  });
});

describe('an answer to a ping', () => {
  it('is told from everything else that a client posts', () => {
    expect(isPingAnswer({ jsonrpc: '2.0', id: 'ping-1', result: {} })).toBe(true);
    expect(isPingAnswer({ jsonrpc: '2.0', id: 'ping-1', method: 'tools/call' })).toBe(false);
    expect(isPingAnswer({ jsonrpc: '2.0', id: 1, result: {} })).toBe(false);
    expect(isPingAnswer([{ jsonrpc: '2.0', id: 'ping-1', result: {} }])).toBe(false);
    expect(isPingAnswer(undefined)).toBe(false);
  });
});
