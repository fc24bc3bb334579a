import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { clientKeyOf } from '../limits/client-key.js';
import { RequestEnd } from './request-end.js';
import { UnreadResponseLimit } from './unread-response-limit.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const here = clientKeyOf('192.0.2.1');
const there = clientKeyOf('192.0.2.2');

/** A response with a number of unread bytes. */
function unread(limit: UnreadResponseLimit, clientKey = here) {
  const disconnect = vi.fn();
  let bytes = 0;
  const count = limit.counterFor(clientKey)(() => bytes, disconnect);
  return {
    disconnect,
    count,
    /** Changes the number without a call of `update`. */
    be: (now: number) => {
      bytes = now;
    },
    set: (now: number) => {
      bytes = now;
      count.update();
    },
  };
}

describe('the limit of unread responses', () => {
  it('closes the connection of the client with the most unread bytes, its oldest response first [security 40]', () => {
    const limit = new UnreadResponseLimit(10 * MIB);
    const [first, second, third, other] = [here, here, here, there].map((clientKey) =>
      unread(limit, clientKey),
    ) as [ReturnType<typeof unread>, ...ReturnType<typeof unread>[]];
    other?.set(3 * MIB);
    first.set(2 * MIB);
    second?.set(3 * MIB);
    third?.set(2 * MIB);
    expect(limit.size).toBe(10 * MIB);
    third?.set(3 * MIB);
    expect(first.disconnect).toHaveBeenCalledOnce();
    for (const each of [second, third, other]) expect(each?.disconnect).not.toHaveBeenCalled();
    expect(limit.size).toBe(9 * MIB);
  });

  it('counts the current size, even if the client has read without a call of `update`', () => {
    const limit = new UnreadResponseLimit(10 * MIB);
    const reading = unread(limit);
    const other = unread(limit, there);
    reading.set(9 * MIB);
    reading.be(2 * MIB);
    other.set(5 * MIB);
    expect(reading.disconnect).not.toHaveBeenCalled();
    expect(limit.size).toBe(7 * MIB);
  });

  it('no longer counts a response that was read, or whose connection was closed', () => {
    const limit = new UnreadResponseLimit(MIB);
    const read = unread(limit);
    read.set(500 * KIB);
    read.set(0);
    expect(limit.size).toBe(0);
    const late = unread(limit);
    late.set(2 * MIB);
    expect(late.disconnect).toHaveBeenCalledOnce();
    late.set(2 * MIB);
    late.count.release();
    expect(late.disconnect).toHaveBeenCalledOnce();
    expect(limit.size).toBe(0);
  });

  it('counts the bytes that Node holds, and closes connections [security 40]', async () => {
    const limit = new UnreadResponseLimit(32 * MIB);
    const closed: string[] = [];
    const server = createServer((request, response) => {
      const clientKey = String(request.headers['x-address']);
      response.destroy = () => {
        closed.push(clientKey);
        request.socket.destroy();
        return response;
      };
      limit.watch(response, clientKeyOf(clientKey), new RequestEnd(response));
      response.end(Buffer.alloc(Number(request.headers['x-bytes']), 'x'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    // A TCP server that listens has an AddressInfo.
    const { port } = server.address() as AddressInfo;
    const sockets: Socket[] = [];
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    /** Sends a request and reads nothing. */
    const ask = (clientKey: string, bytes: number) => {
      const socket = connect(port, '127.0.0.1').pause();
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Address: ${clientKey}\r\nX-Bytes: ${bytes}\r\n\r\n`);
      return socket;
    };
    const honest = ask('192.0.2.1', 8 * MIB);
    await expect.poll(() => limit.size).toBeGreaterThan(0);
    for (let count = 0; count < 3; count++) ask('192.0.2.2', 20 * MIB);
    await expect.poll(() => closed).not.toEqual([]);
    let bytes = 0;
    honest.on('data', (data) => {
      bytes += data.length;
    });
    honest.resume();
    await expect.poll(() => bytes).toBeGreaterThan(8 * MIB);
    expect(new Set(closed)).toEqual(new Set(['192.0.2.2']));
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => limit.size).toBe(0);
  });
});
