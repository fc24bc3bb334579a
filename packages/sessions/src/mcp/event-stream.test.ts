import { describe, expect, it, vi } from 'vitest';
import { EventStream, isEventStream, type StreamEnd } from './event-stream.js';

function setUp({ withHangUp = true } = {}) {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const cancelled = vi.fn();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller;
    },
    cancel: cancelled,
  });
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-kept': 'yes' } });
  if (!source || !isEventStream(response)) throw new Error('That is no event stream.');
  const ends: StreamEnd[] = [];
  const hangUp = vi.fn();
  const stream = new EventStream(response, {
    hangUp: withHangUp ? hangUp : undefined,
    onEnd: (by) => ends.push(by),
  });
  const write = (text: string) => source?.enqueue(new TextEncoder().encode(text));
  return { stream, source, write, cancelled, ends, hangUp };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('an event stream', () => {
  it("passes on what the SDK writes, with what is added to it, under the SDK's headers", async () => {
    const { stream, write, source, ends } = setUp();
    write('data: first\n\n');
    await stream.begun;
    stream.send({ added: true });
    write('data: last\n\n');
    source.close();
    expect(stream.response.headers.get('x-kept')).toBe('yes');
    expect(await stream.response.text()).toBe(
      'data: first\n\nevent: message\ndata: {"added":true}\n\ndata: last\n\n',
    );
    expect(ends).toEqual(['server']);
  });

  it('lets the client read to the end when the server ends it, and tells the SDK', async () => {
    const { stream, write, ends, cancelled } = setUp();
    write('data: first\n\n');
    await stream.begun;
    stream.end();
    expect(await stream.response.text()).toBe('data: first\n\n');
    expect(ends).toEqual(['server']);
    expect(cancelled).toHaveBeenCalledOnce();
  });

  it('tells the SDK and its owner, once, when the client goes', async () => {
    const { stream, cancelled, ends } = setUp();
    await stream.response.body?.cancel();
    stream.end();
    stream.giveUp();
    expect(cancelled).toHaveBeenCalledOnce();
    expect(ends).toEqual(['client']);
  });

  it('hangs up on a client that leaves more than a mebibyte unread, and holds nothing for it [security 40]', async () => {
    const { stream, write, hangUp, ends, cancelled } = setUp();
    for (let written = 0; written < 20; written++) write(`data: ${'x'.repeat(64 * 1024)}\n\n`);
    await settle();
    expect(hangUp).toHaveBeenCalledOnce();
    expect(ends).toEqual(['client']);
    expect(cancelled).toHaveBeenCalledOnce();
    stream.send({ nothing: 'happens' });
  });

  it('puts up with a client that reads as fast as it is written to, however much that is', async () => {
    const { stream, write, hangUp, source } = setUp();
    const reading = stream.response.text();
    for (let written = 0; written < 50; written++) {
      write('x'.repeat(64 * 1024));
      await settle();
    }
    source.close();
    expect((await reading).length).toBe(50 * 64 * 1024);
    expect(hangUp).not.toHaveBeenCalled();
  });

  it('ends with an error where no connection can be cut', async () => {
    const { stream, ends } = setUp({ withHangUp: false });
    stream.giveUp();
    await expect(stream.response.text()).rejects.toThrow(
      expect.objectContaining({ message: expect.stringMatching(/does not read/) }),
    );
    expect(ends).toEqual(['client']);
  });
});
