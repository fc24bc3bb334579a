import { describe, expect, it, vi } from 'vitest';
import type { StreamCloser } from '../../session/presence.js';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { responseOf } from '../wire/plain-answer.js';
import { isPingResponse, StandaloneStream } from './standalone-stream.js';

const SECOND_MS = 1000;

function setUp() {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const ends: StreamCloser[] = [];
  const closeConnection = vi.fn();
  const reports: boolean[] = [];
  const stream = new StandaloneStream(
    { 'content-type': 'text/event-stream' },
    {
      clock,
      deadlines,
      closeConnection,
      onResponsive: (isResponsive) => reports.push(isResponsive),
      onEnd: (by) => ends.push(by),
    },
  );
  const pings: string[] = [];
  const reader = responseOf(stream.answer).body?.pipeThrough(new TextDecoderStream()).getReader();
  const read = async () => {
    for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
      for (const [, id = ''] of next.value.matchAll(/"id":"([^"]+)","method":"ping"/g)) pings.push(id);
    }
  };
  void read();
  const answer = () => stream.acceptPingResponse({ jsonrpc: '2.0', id: pings.at(-1), result: {} });
  const leave = () => reader?.cancel();
  return { clock, deadlines, stream, pings, answer, leave, ends, reports, closeConnection };
}

describe('StandaloneStream', () => {
  it('stays open while the client answers pings', async () => {
    const { clock, pings, answer, ends, reports } = setUp();
    for (let minute = 0; minute < 60; minute++) {
      await clock.advance(25 * SECOND_MS);
      answer();
    }
    expect(pings).toHaveLength(60);
    expect(new Set(pings).size).toBe(60);
    expect([ends, reports]).toEqual([[], []]);
  });

  it('stays open when the client does not answer, and reports it within a minute [security 5, 36]', async () => {
    const { clock, pings, answer, ends, reports } = setUp();
    await clock.advance(49 * SECOND_MS);
    expect(reports).toEqual([]);
    await clock.advance(11 * SECOND_MS);
    expect(reports).toEqual([false]);
    await clock.advance(60 * 60 * SECOND_MS);
    expect([reports, ends]).toEqual([[false], []]);
    expect(pings.length).toBeGreaterThan(100);
    answer();
    expect([reports, ends]).toEqual([[false, true], []]);
  });

  it('accepts only the response to the latest ping', async () => {
    const { clock, stream, reports } = setUp();
    await clock.advance(25 * SECOND_MS);
    for (const id of ['ping-0', 'ping-2', 1, undefined])
      stream.acceptPingResponse({ jsonrpc: '2.0', id, result: {} });
    await clock.advance(25 * SECOND_MS + 100);
    expect(reports).toEqual([false]);
  });

  it('sends one ping for all waiting streams, and reports after two seconds that the client does not answer [security 5]', async () => {
    const { clock, stream, pings, ends } = setUp();
    const asked: boolean[] = [];
    const ask = () => void stream.isResponsive().then((isResponsive) => asked.push(isResponsive));
    ask();
    ask();
    await clock.advance(1.9 * SECOND_MS);
    expect(pings).toHaveLength(1);
    expect(asked).toEqual([]);
    await clock.advance(0.2 * SECOND_MS);
    expect(asked).toEqual([false, false]);
    expect(ends).toEqual([]);
  });

  it('reports that the client answers, and keeps the interval of its pings', async () => {
    const { clock, stream, answer, pings, reports } = setUp();
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
    expect(reports).toEqual([]);
  });

  it('reports the server as the side that ended a replaced stream [security 36]', async () => {
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

  it('reports no disconnect after another stream was refused [security 36]', async () => {
    const { stream, answer, leave, clock, ends } = setUp();
    const asked = stream.isResponsive();
    await clock.advance(0);
    answer();
    expect(await asked).toBe(true);
    await leave();
    expect(ends).toEqual(['server']);
  });

  it('sends no pings after the client has disconnected', async () => {
    const { clock, deadlines, leave, pings, ends } = setUp();
    await leave();
    await clock.advance(60 * SECOND_MS);
    expect(ends).toEqual(['client']);
    expect(pings).toEqual([]);
    expect(deadlines.size).toBe(0);
  });
});

describe('isPingResponse', () => {
  it('recognizes only responses to pings of this server', () => {
    expect(isPingResponse({ jsonrpc: '2.0', id: 'ping-1', result: {} })).toBe(true);
    expect(isPingResponse({ jsonrpc: '2.0', id: 'ping-1', method: 'tools/call' })).toBe(false);
    expect(isPingResponse({ jsonrpc: '2.0', id: 1, result: {} })).toBe(false);
    expect(isPingResponse([{ jsonrpc: '2.0', id: 'ping-1', result: {} }])).toBe(false);
    expect(isPingResponse(undefined)).toBe(false);
  });
});
