import { describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { respondInTime } from './delayed-response.js';

const SECOND_MS = 1000;
const BOTH = 'application/json, text/event-stream';
const ANSWER = { jsonrpc: '2.0', id: 7, result: { content: [] } };

function setUp(accept: string | null = BOTH) {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  let known = { resolve: (_: Response): void => undefined, reject: (_: Error): void => undefined };
  const knownLater = new Promise<Response>((resolve, reject) => {
    known = { resolve, reject };
  });
  const cancel = vi.fn();
  const answer = respondInTime(knownLater, { clock, deadlines, accept, cancel });
  return { clock, deadlines, known, answer, cancel };
}

/** A stream like the SDK's: each frame is one chunk. */
function streamOf(...frames: string[]): Response {
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    start(sink) {
      for (const frame of frames) sink.enqueue(encoder.encode(frame));
      sink.close();
    },
  });
  return new Response(body, { headers: { 'content-type': 'text/event-stream' } });
}

const frame = (message: object) => `event: message\ndata: ${JSON.stringify(message)}\n\n`;
const PROGRESS = { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } };

describe('respondInTime', () => {
  it('returns a response within five seconds unchanged, and cancels the deadline', async () => {
    const { clock, deadlines, known, answer } = setUp();
    await clock.advance(4.9 * SECOND_MS);
    const response = Response.json(ANSWER, { status: 400 });
    known.resolve(response);
    expect(await answer).toEqual({ isStream: false, response });
    expect(deadlines.size).toBe(0);
  });

  it('marks a response that is an event stream', async () => {
    const { known, answer } = setUp();
    known.resolve(streamOf(frame(ANSWER)));
    expect(await answer).toMatchObject({ isStream: true });
  });

  it('rejects if the response fails within five seconds', async () => {
    const { deadlines, known, answer } = setUp();
    known.reject(new Error('no answer'));
    await expect(answer).rejects.toThrow('no answer');
    expect(deadlines.size).toBe(0);
  });

  it('starts an event stream after five seconds, with a comment at once and every 15 seconds', async () => {
    const { clock, deadlines, known, answer } = setUp();
    await clock.advance(5.1 * SECOND_MS);
    const { isStream, response } = await answer;
    expect([isStream, response.status]).toEqual([true, 200]);
    expect(Object.fromEntries(response.headers)).toEqual({
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    });
    await clock.advance(61 * SECOND_MS);
    known.resolve(Response.json(ANSWER));
    expect(await response.text()).toBe(`${': keepalive\n\n'.repeat(5)}${frame(ANSWER)}`);
    expect(deadlines.size).toBe(0);
  });

  it('continues with the messages of the SDK’s stream', async () => {
    const { clock, known, answer } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    known.resolve(streamOf(frame(PROGRESS), ': keepalive\n\n', frame(ANSWER)));
    expect(await response.text()).toBe(`: keepalive\n\n${frame(PROGRESS)}: keepalive\n\n${frame(ANSWER)}`);
  });

  it.each([
    ['application/json', Response.json(ANSWER)],
    ['*/*', Response.json(ANSWER)],
    [null, Response.json(ANSWER)],
    ['application/json', streamOf(frame(PROGRESS), frame(ANSWER), ': keepalive\n\n')],
  ])('sends JSON after white space to a client that accepts %s', async (accept, answered) => {
    const { clock, known, answer } = setUp(accept);
    await clock.advance(21 * SECOND_MS);
    const { isStream, response } = await answer;
    expect([isStream, response.headers.get('content-type')]).toEqual([true, 'application/json']);
    known.resolve(answered);
    const text = await response.text();
    expect(text).toMatch(/^ {2}\{/);
    expect(JSON.parse(text)).toEqual(ANSWER);
  });

  it('cancels the call when the client disconnects, and drops the response', async () => {
    const { clock, deadlines, known, answer, cancel } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    await response.body?.cancel();
    expect(cancel).toHaveBeenCalledOnce();
    known.resolve(new Response(null, { status: 499 }));
    await clock.advance(60 * SECOND_MS);
    expect(deadlines.size).toBe(0);
  });

  it('ends the stream without a response if the request is cancelled', async () => {
    const { clock, known, answer } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    known.resolve(new Response(null, { status: 499 }));
    expect(await response.text()).toBe(': keepalive\n\n');
  });

  it('aborts the stream if the response fails later', async () => {
    const { clock, known, answer } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    known.reject(new Error('no answer'));
    await expect(response.text()).rejects.toThrow('no answer');
  });
});
