import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { clientKeyOf } from '../limits/client-key.js';
import { UnreadResponseLimit } from './unread-response-limit.js';

const KIB = 1024;
const MIB = 1024 * KIB;
const here = clientKeyOf('192.0.2.1');
const there = clientKeyOf('192.0.2.2');

/** An answer of which so much is unread. */
function unread(answers: UnreadResponseLimit, clientKey = here) {
  const giveUp = vi.fn();
  let bytes = 0;
  const count = answers.counterFor(clientKey)(() => bytes, giveUp);
  return {
    giveUp,
    count,
    /** Changes what is unread, without a word. */
    be: (now: number) => {
      bytes = now;
    },
    set: (now: number) => {
      bytes = now;
      count.update();
    },
  };
}

describe('what clients leave unread', () => {
  it('is dropped above the maximum: the client with the most loses its oldest answer first [security 40]', () => {
    const answers = new UnreadResponseLimit(10 * MIB);
    const [first, second, third, other] = [here, here, here, there].map((clientKey) =>
      unread(answers, clientKey),
    ) as [ReturnType<typeof unread>, ...ReturnType<typeof unread>[]];
    other?.set(3 * MIB);
    first.set(2 * MIB);
    second?.set(3 * MIB);
    third?.set(2 * MIB);
    expect(answers.size).toBe(10 * MIB);
    third?.set(3 * MIB);
    expect(first.giveUp).toHaveBeenCalledOnce();
    for (const each of [second, third, other]) expect(each?.giveUp).not.toHaveBeenCalled();
    expect(answers.size).toBe(9 * MIB);
  });

  it('counts with its current size, even if the client has read without a notice', () => {
    const answers = new UnreadResponseLimit(10 * MIB);
    const reading = unread(answers);
    const other = unread(answers, there);
    reading.set(9 * MIB);
    reading.be(2 * MIB);
    other.set(5 * MIB);
    expect(reading.giveUp).not.toHaveBeenCalled();
    expect(answers.size).toBe(7 * MIB);
  });

  it('no longer counts once it has been read or its client is cut off', () => {
    const answers = new UnreadResponseLimit(MIB);
    const read = unread(answers);
    read.set(500 * KIB);
    read.set(0);
    expect(answers.size).toBe(0);
    const late = unread(answers);
    late.set(2 * MIB);
    expect(late.giveUp).toHaveBeenCalledOnce();
    late.set(2 * MIB);
    late.count.release();
    expect(late.giveUp).toHaveBeenCalledOnce();
    expect(answers.size).toBe(0);
  });

  it('is counted of responses that Node holds, and cuts their connections [security 40]', async () => {
    const answers = new UnreadResponseLimit(32 * MIB);
    const cut: string[] = [];
    const server = createServer((request, response) => {
      const clientKey = String(request.headers['x-address']);
      response.destroy = () => {
        cut.push(clientKey);
        request.socket.destroy();
        return response;
      };
      answers.watch(response, clientKeyOf(clientKey));
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
    /** Asks, and reads nothing. */
    const ask = (clientKey: string, bytes: number) => {
      const socket = connect(port, '127.0.0.1').pause();
      sockets.push(socket);
      socket.on('error', () => undefined);
      socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Address: ${clientKey}\r\nX-Bytes: ${bytes}\r\n\r\n`);
      return socket;
    };
    const honest = ask('192.0.2.1', 8 * MIB);
    await expect.poll(() => answers.size).toBeGreaterThan(0);
    for (let count = 0; count < 3; count++) ask('192.0.2.2', 20 * MIB);
    await expect.poll(() => cut).not.toEqual([]);
    let bytes = 0;
    honest.on('data', (data) => {
      bytes += data.length;
    });
    honest.resume();
    await expect.poll(() => bytes).toBeGreaterThan(8 * MIB);
    expect(new Set(cut)).toEqual(new Set(['192.0.2.2']));
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => answers.size).toBe(0);
  });
});
