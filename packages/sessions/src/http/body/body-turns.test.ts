import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { clientKeyOf } from '../../limits/client-key.js';
import { BodyMemoryLimit } from './body-memory-limit.js';
import { BodyReader } from './body-reader.js';
import { JsonScan } from './json-scan.js';
import { RequestScheduler } from './request-scheduler.js';

const KIB = 1024;
const MIB = 1024 * KIB;

const closings: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closings.splice(0).reverse()) close();
});

/** Receives one request with a body. */
async function receive(body: string): Promise<IncomingMessage> {
  const server = createServer().listen(0, '127.0.0.1');
  closings.push(() => server.closeAllConnections());
  closings.push(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const received = once(server, 'request');
  const sending = request({ port, method: 'POST', headers: { 'content-length': body.length } });
  sending.on('error', () => undefined).end(body);
  return (await received)[0];
}

/** A scheduler whose turns the test ends. Another client has the first one. */
function takenScheduler() {
  let turns = 0;
  const ends: (() => void)[] = [];
  const afterTurn = (next: () => void) => {
    turns++;
    ends.push(next);
  };
  const scheduler = new RequestScheduler({ now: () => 0, afterTurn });
  void scheduler.waitForTurn(clientKeyOf('203.0.113.7'));
  /** Ends each turn at once, from now on. @returns how many there were when a promise resolves, and its value */
  const endTurnsUntil = async <Value>(promise: Promise<Value>): Promise<[turns: number, value: Value]> => {
    let isOver = false;
    void promise.finally(() => {
      isOver = true;
    });
    while (!isOver) {
      ends.shift()?.();
      await nextRound();
    }
    return [turns, await promise];
  };
  return { scheduler, endTurnsUntil };
}

function nextRound(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function readerOf(incoming: IncomingMessage, scheduler: RequestScheduler): BodyReader {
  const request = { headers: new Headers(), body: null, bodyUsed: false };
  const source = { request, incoming, isUnmodified: true, clientKey: clientKeyOf('203.0.113.66') };
  const scan = new JsonScan({ depth: 32, elements: 100 });
  const reader = new BodyReader(source, { maxBytes: MIB, memory: new BodyMemoryLimit(), scan, scheduler });
  reader.start();
  return reader;
}

it('reads a large body no further until its turn comes, in several turns [security 40]', async () => {
  const { scheduler, endTurnsUntil } = takenScheduler();
  const text = '"a"'.padEnd(MIB);
  const incoming = await receive(text);
  const body = Promise.resolve(readerOf(incoming, scheduler).read());
  await once(incoming.socket, 'pause');
  for (let round = 0; round < 50; round++) await nextRound();
  // More than is scanned at once, and by far less than Node reads from a connection at a time.
  expect(incoming.socket.bytesRead).toBeGreaterThan(64 * KIB);
  expect(incoming.socket.bytesRead).toBeLessThan(256 * KIB);
  const [turns, received] = await endTurnsUntil(body);
  expect(received).toEqual({ kind: 'text', text });
  expect(turns).toBeGreaterThan(4);
});

it('scans a body of up to 64 KiB at once, and a larger one in its turn [security 40]', async () => {
  const { scheduler, endTurnsUntil } = takenScheduler();
  const small = readerOf(await receive('<'.padEnd(60 * KIB)), scheduler);
  expect(await small.refused()).toBe('malformed');
  const incoming = await receive('<'.padStart(200 * KIB));
  const refused = readerOf(incoming, scheduler).refused();
  await once(incoming.socket, 'pause');
  const [turns, refusal] = await endTurnsUntil(refused);
  expect(refusal).toBe('malformed');
  // One is that of the other client.
  expect(turns).toBeGreaterThan(1);
});
