import { describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../testing/virtual-clock.js';
import { Deadlines } from '../../time/deadlines.js';
import { type EndedBy, isSseResponse, SseStream } from './sse-stream.js';

const MIB = 1024 * 1024;

function setUp({ closesConnections = true } = {}) {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const cancelled = vi.fn();
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller;
    },
    cancel: cancelled,
  });
  const response = new Response(body, { headers: { 'content-type': 'text/event-stream', 'x-kept': 'yes' } });
  if (!source || !isSseResponse(response)) throw new Error('The response is not an event stream.');
  const ends: EndedBy[] = [];
  const closeConnection = vi.fn();
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const stream = new SseStream(response, {
    clock,
    deadlines,
    closeConnection: closesConnections ? closeConnection : undefined,
    onEnd: (by) => ends.push(by),
  });
  const write = (text: string) => source?.enqueue(new TextEncoder().encode(text));
  return { stream, source, write, cancelled, ends, closeConnection, clock, deadlines };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('SseStream', () => {
  it('forwards the SDK’s stream and headers, and adds further messages', async () => {
    const { stream, write, source, ends } = setUp();
    write('data: first\n\n');
    await stream.started;
    stream.send({ added: true });
    write('data: last\n\n');
    source.close();
    expect(stream.response.headers.get('x-kept')).toBe('yes');
    expect(await stream.response.text()).toBe(
      'data: first\n\nevent: message\ndata: {"added":true}\n\ndata: last\n\n',
    );
    expect(ends).toEqual(['server']);
  });

  it('lets the client read the rest when the server ends the stream, and cancels the SDK’s stream', async () => {
    const { stream, write, ends, cancelled } = setUp();
    write('data: first\n\n');
    await stream.started;
    stream.end();
    expect(await stream.response.text()).toBe('data: first\n\n');
    expect(ends).toEqual(['server']);
    expect(cancelled).toHaveBeenCalledOnce();
  });

  it('cancels the SDK’s stream and reports the end once when the client disconnects', async () => {
    const { stream, cancelled, ends } = setUp();
    await stream.response.body?.cancel();
    stream.end();
    stream.disconnect();
    expect(cancelled).toHaveBeenCalledOnce();
    expect(ends).toEqual(['client']);
  });

  it('disconnects a client that leaves more than 1 MiB unread for ten seconds [security 40]', async () => {
    const { stream, write, closeConnection, ends, cancelled, clock, deadlines } = setUp();
    write('x'.repeat(2 * MIB));
    await clock.advance(9900);
    expect(closeConnection).not.toHaveBeenCalled();
    await clock.advance(200);
    expect(closeConnection).toHaveBeenCalledOnce();
    expect(ends).toEqual(['client']);
    expect(cancelled).toHaveBeenCalledOnce();
    expect(deadlines.size).toBe(0);
    stream.send({ nothing: 'happens' });
  });

  it('disconnects a client that leaves the end of a finished stream unread [security 40]', async () => {
    const { write, source, closeConnection, clock, ends } = setUp();
    write('x'.repeat(8 * MIB));
    source.close();
    await settle();
    expect(ends).toEqual(['server']);
    await clock.advance(10_100);
    expect(closeConnection).toHaveBeenCalledOnce();
    expect(ends).toEqual(['server']);
  });

  it('disconnects a client with more than 16 MiB unread at once [security 40]', async () => {
    const { write, closeConnection, ends } = setUp();
    for (let written = 0; written <= 16; written++) write('x'.repeat(MIB));
    await settle();
    expect(closeConnection).not.toHaveBeenCalled();
    write('x');
    await settle();
    expect(closeConnection).toHaveBeenCalledOnce();
    expect(ends).toEqual(['client']);
  });

  it('keeps a client that reads slowly', async () => {
    const { stream, write, closeConnection, clock, deadlines } = setUp();
    for (let written = 0; written < 8; written++) write('x'.repeat(MIB));
    const reader = stream.response.body?.getReader();
    for (let read = 0; read < 8; read++) {
      await clock.advance(9000);
      for (let chunk = 0; chunk < 16; chunk++) await reader?.read();
    }
    await clock.advance(20_000);
    expect(closeConnection).not.toHaveBeenCalled();
    expect(deadlines.size).toBe(0);
  });

  it('sends one message of any size', async () => {
    const { stream, write, closeConnection, source } = setUp();
    write('x'.repeat(20 * MIB));
    source.close();
    expect((await stream.response.text()).length).toBe(20 * MIB);
    expect(closeConnection).not.toHaveBeenCalled();
  });

  it('ends the stream with an error if the connection cannot be closed', async () => {
    const { stream, ends } = setUp({ closesConnections: false });
    stream.disconnect();
    await expect(stream.response.text()).rejects.toThrow(
      expect.objectContaining({ message: expect.stringMatching(/does not read/) }),
    );
    expect(ends).toEqual(['client']);
  });
});
