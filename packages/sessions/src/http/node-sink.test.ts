import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { SinkStream } from '../mcp/wire/sink-stream.js';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from '../time/deadlines.js';
import { NodeSink } from './node-sink.js';
import { RequestEnd } from './request-end.js';

const MIB = 1024 * 1024;
const READ_TIMEOUT_MS = 10_000;

/** A stream over Node's HTTP server, to a client that reads only when the test tells it to. */
async function setUp({ endsAtMs }: { endsAtMs?: number } = {}) {
  const clock = new VirtualClock();
  const deadlines = new Deadlines(clock, (error) => {
    throw error;
  });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client: Socket = connect(port, '127.0.0.1');
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  client.on('error', () => undefined).pause();
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const [, outgoing] = (await once(server, 'request')) as [unknown, ServerResponse];
  const sink = new NodeSink(outgoing, new RequestEnd(outgoing));
  const ends: string[] = [];
  const counted: number[] = [];
  const stream = new SinkStream(
    sink,
    { 'content-type': 'text/event-stream' },
    {
      clock,
      deadlines,
      closeConnection: undefined,
      endsAtMs,
      countUnread: (unread) => ({ update: () => counted.push(unread()), release: () => counted.push(0) }),
      onEnd: (by) => ends.push(by),
    },
  );
  /** Sends messages until that many bytes are unread. */
  const fill = async (bytes: number) => {
    while (sink.unreadBytes <= bytes) {
      stream.sendEvent(`"${'x'.repeat(MIB / 2)}"`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  let text = '';
  const read = () =>
    client
      .setEncoding('utf8')
      .on('data', (chunk) => (text += chunk))
      .resume();
  return { clock, deadlines, client, outgoing, sink, stream, ends, counted, fill, read, text: () => text };
}

it('a stream over Node sends its head at once, and its events with their ids', async () => {
  const { stream, read, text, client } = await setUp();
  read();
  await expect.poll(text).toContain('content-type: text/event-stream');
  stream.sendEvent('{"a":1}', 'stream/1');
  stream.send({ b: 2 });
  stream.end();
  stream.send({ c: 3 });
  await expect.poll(text).toContain('{"b":2}');
  expect(text()).toContain('event: message\nid: stream/1\ndata: {"a":1}\n\n');
  expect(text()).not.toContain('{"c":3}');
  client.destroy();
});

it('a client that reads nothing for ten seconds of more than 1 MiB is disconnected [security 40]', async () => {
  const { clock, deadlines, fill, outgoing, ends, counted } = await setUp();
  await fill(MIB);
  await clock.advance(READ_TIMEOUT_MS - 200);
  expect([outgoing.destroyed, ends]).toEqual([false, []]);
  expect(counted.at(-1)).toBeGreaterThan(MIB);
  await clock.advance(400);
  expect([outgoing.destroyed, ends]).toEqual([true, ['client']]);
  expect(counted.at(-1)).toBe(0);
  expect(deadlines.size).toBe(0);
});

it('a client that reads slowly keeps its stream [security 40]', async () => {
  const { clock, client, fill, outgoing, sink, ends } = await setUp();
  await fill(2 * MIB);
  for (let times = 0; times < 3; times++) {
    const { sentBytes } = sink;
    client.resume();
    await expect.poll(() => sink.sentBytes).toBeGreaterThan(sentBytes);
    client.pause();
    await fill(2 * MIB);
    await clock.advance(READ_TIMEOUT_MS + 200);
  }
  expect([outgoing.destroyed, ends]).toEqual([false, []]);
});

it('a client that leaves 16 MiB unread is disconnected with the next message [security 40]', async () => {
  const { fill, stream, outgoing, ends } = await setUp();
  await fill(16 * MIB);
  expect(outgoing.destroyed).toBe(false);
  stream.send({});
  expect([outgoing.destroyed, ends]).toEqual([true, ['client']]);
});

it('a client has 15 seconds to read what is left of a stream that ends [security 40]', async () => {
  const { stream, outgoing } = await setUp();
  const { socket } = outgoing;
  stream.sendEvent(`"${'x'.repeat(8 * MIB)}"`);
  expect(outgoing.writableLength).toBeGreaterThan(0);
  expect(socket?.timeout).toBeUndefined();
  stream.end();
  expect(socket?.timeout).toBe(15_000);
});

it('a stream ends with the access token that opened it [security 10]', async () => {
  const { clock, ends, read, text } = await setUp({ endsAtMs: 5_000 });
  read();
  await clock.advance(5_100);
  expect(ends).toEqual(['server']);
  await expect.poll(text).toContain('\r\n0\r\n');
});

it('a client that disconnects ends its stream [security 36]', async () => {
  const { client, ends } = await setUp();
  client.destroy();
  await expect.poll(() => ends).toEqual(['client']);
});
