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

/** A stream as the SDK makes them, each frame a chunk of its own. */
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

describe('an answer', () => {
  it('goes out as it is when it is known within five seconds, and leaves nothing behind', async () => {
    const { clock, deadlines, known, answer } = setUp();
    await clock.advance(4.9 * SECOND_MS);
    const response = Response.json(ANSWER, { status: 400 });
    known.resolve(response);
    expect(await answer).toEqual({ isStream: false, response });
    expect(deadlines.size).toBe(0);
  });

  it('that is a stream is one', async () => {
    const { known, answer } = setUp();
    known.resolve(streamOf(frame(ANSWER)));
    expect(await answer).toMatchObject({ isStream: true });
  });

  it('fails as it does', async () => {
    const { deadlines, known, answer } = setUp();
    known.reject(new Error('no answer'));
    await expect(answer).rejects.toThrow('no answer');
    expect(deadlines.size).toBe(0);
  });

  it('that takes longer begins as an event stream, with a comment at once and every 15 seconds', async () => {
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

  it('goes on with what the SDK has to say meanwhile', async () => {
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
  ])('to a client that accepts %s is JSON after white space', async (accept, answered) => {
    const { clock, known, answer } = setUp(accept);
    await clock.advance(21 * SECOND_MS);
    const { isStream, response } = await answer;
    expect([isStream, response.headers.get('content-type')]).toEqual([true, 'application/json']);
    known.resolve(answered);
    const text = await response.text();
    expect(text).toMatch(/^ {2}\{/);
    expect(JSON.parse(text)).toEqual(ANSWER);
  });

  it('whose client has gone is cancelled, and what still comes of it is dropped', async () => {
    const { clock, deadlines, known, answer, cancel } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    await response.body?.cancel();
    expect(cancel).toHaveBeenCalledOnce();
    known.resolve(new Response(null, { status: 499 }));
    await clock.advance(60 * SECOND_MS);
    expect(deadlines.size).toBe(0);
  });

  it('to a request that is cancelled otherwise ends without one', async () => {
    const { clock, known, answer } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    known.resolve(new Response(null, { status: 499 }));
    expect(await response.text()).toBe(': keepalive\n\n');
  });

  it('that fails after it has begun is cut', async () => {
    const { clock, known, answer } = setUp();
    await clock.advance(6 * SECOND_MS);
    const { response } = await answer;
    known.reject(new Error('no answer'));
    await expect(response.text()).rejects.toThrow('no answer');
  });
});
