import { describe, expect, it, vi } from 'vitest';
import type { StreamCloser } from '../../session/presence.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { isSseResponse } from '../wire/sse-stream.js';
import { isPingResponse, StandaloneStream } from './standalone-stream.js';

const SECOND_MS = 1000;

function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const response = new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } });
  if (!isSseResponse(response)) throw new Error('That is no event stream.');
  const ends: StreamCloser[] = [];
  const closeConnection = vi.fn();
  const heard: boolean[] = [];
  const stream = new StandaloneStream(response, {
    clock,
    deadlines,
    closeConnection,
    onResponsive: (isHeard) => heard.push(isHeard),
    onEnd: (by) => ends.push(by),
  });
  const pings: string[] = [];
  const reader = stream.response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      for (const [, id = ''] of next.value.matchAll(/"id":"([^"]+)","method":"ping"/g)) pings.push(id);
    }
  };
  void read();
  const answer = () => stream.acceptPingResponse({ jsonrpc: '2.0', id: pings.at(-1), result: {} });
  const leave = () => reader?.cancel();
  return { clock, deadlines, stream, pings, answer, leave, ends, heard, closeConnection };
}

describe('a standalone stream', () => {
  it('goes on as long as its client answers its pings', async () => {
    const { clock, pings, answer, ends, heard } = setUp();
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(25 * SECOND_MS);
      answer();
    }
    expect(pings).toHaveLength(60);
    expect(new Set(pings).size).toBe(60);
    expect([ends, heard]).toEqual([[], []]);
  });

  it('stays when its client does not answer, which no longer counts as heard within a minute [security 5, 36]', async () => {
    const { clock, pings, answer, ends, heard } = setUp();
    await clock.advance(49 * SECOND_MS);
    expect(heard).toEqual([]);
    await clock.advance(11 * SECOND_MS);
    expect(heard).toEqual([false]);
    await clock.advance(60 * 60 * SECOND_MS);
    expect([heard, ends]).toEqual([[false], []]);
    expect(pings.length).toBeGreaterThan(100);
    answer();
    expect([heard, ends]).toEqual([[false, true], []]);
  });

  it('takes no answer but that to its latest ping', async () => {
    const { clock, stream, heard } = setUp();
    await clock.advance(25 * SECOND_MS);
    for (const id of ['ping-0', 'ping-2', 1, undefined])
      stream.acceptPingResponse({ jsonrpc: '2.0', id, result: {} });
    await clock.advance(25 * SECOND_MS + 100);
    expect(heard).toEqual([false]);
  });

  it('is pinged once for all waiting streams, and reports within two seconds that its client does not answer [security 5]', async () => {
    const { clock, stream, pings, ends } = setUp();
    const asked: boolean[] = [];
    const ask = () => void stream.isResponsive().then((isThere) => asked.push(isThere));
    ask();
    ask();
    await clock.advance(1.9 * SECOND_MS);
    expect(pings).toHaveLength(1);
    expect(asked).toEqual([]);
    await clock.advance(0.2 * SECOND_MS);
    expect(asked).toEqual([false, false]);
    expect(ends).toEqual([]);
  });

  it('keeps its place when it answers, and is asked again as usual', async () => {
    const { clock, stream, answer, pings, heard } = setUp();
    const asked = stream.isResponsive();
    await clock.advance(SECOND_MS);
    answer();
    expect(await asked).toBe(true);
    await clock.advance(23 * SECOND_MS);
    expect(pings).toHaveLength(1);
    await clock.advance(2 * SECOND_MS);
    expect(pings).toHaveLength(2);
    const again = stream.isResponsive();
    await clock.advance(3 * SECOND_MS);
    expect(await again).toBe(false);
    expect(heard).toEqual([]);
  });

  it('counts as ended by the server when another stream replaces it [security 36]', async () => {
    const { clock, deadlines, stream, ends, closeConnection } = setUp();
    const asked = stream.isResponsive();
    stream.replace();
    expect(await asked).toBe(false);
    expect(await stream.isResponsive()).toBe(false);
    expect(ends).toEqual(['server']);
    expect(closeConnection).toHaveBeenCalledOnce();
    await clock.advance(60 * SECOND_MS);
    expect(deadlines.size).toBe(0);
  });

  it('is no disconnect when it ends after another one was refused [security 36]', async () => {
    const { stream, answer, leave, clock, ends } = setUp();
    const asked = stream.isResponsive();
    await clock.advance(0);
    answer();
    expect(await asked).toBe(true);
    await leave();
    expect(ends).toEqual(['server']);
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
    expect(isPingResponse({ jsonrpc: '2.0', id: 'ping-1', result: {} })).toBe(true);
    expect(isPingResponse({ jsonrpc: '2.0', id: 'ping-1', method: 'tools/call' })).toBe(false);
    expect(isPingResponse({ jsonrpc: '2.0', id: 1, result: {} })).toBe(false);
    expect(isPingResponse([{ jsonrpc: '2.0', id: 'ping-1', result: {} }])).toBe(false);
    expect(isPingResponse(undefined)).toBe(false);
  });
});
