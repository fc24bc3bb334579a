import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { clientKeyOf } from '../../limits/client-key.js';
import { RequestScheduler } from './request-scheduler.js';

/** A scheduler whose turns the test ends, each after a number of milliseconds. */
function manualScheduler() {
  let nowMs = 0;
  const ends: (() => void)[] = [];
  const scheduler = new RequestScheduler({ now: () => nowMs, afterTurn: (next) => void ends.push(next) });
  const begun: string[] = [];
  const begin = async (name: string, address?: string, goesOn = false) => {
    await scheduler.waitForTurn(address === undefined ? undefined : clientKeyOf(address), goesOn);
    begun.push(name);
  };
  const end = async (tookMs: number) => {
    nowMs += tookMs;
    ends.shift()?.();
    // The next turn starts in microtasks.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begin, end, begun };
}

const [ATTACKER, OTHER] = ['203.0.113.66', '203.0.113.7'];

it('starts one request at a time, and at once if no other one starts', async () => {
  const { begin, end, begun } = manualScheduler();
  await begin('first', OTHER);
  const second = begin('second', OTHER);
  expect(begun).toEqual(['first']);
  await end(1);
  await second;
  await end(1);
  await begin('third', OTHER);
  expect(begun).toEqual(['first', 'second', 'third']);
});

it('starts the request of the address that used the least time, however many requests another one sent [security 40]', async () => {
  const { begin, end, begun } = manualScheduler();
  await begin('attacker 0', ATTACKER);
  const waiting = [1, 2, 3].map((index) => begin(`attacker ${index}`, ATTACKER));
  waiting.push(begin('other 1', OTHER), begin('other 2', OTHER));
  for (let turn = 0; turn < 6; turn++) await end(turn === 0 ? 50 : 5);
  await Promise.all(waiting);
  expect(begun).toEqual(['attacker 0', 'other 1', 'other 2', 'attacker 1', 'attacker 2', 'attacker 3']);
});

it('starts the requests of one address in the order of their arrival', async () => {
  const { begin, end, begun } = manualScheduler();
  await begin('1', OTHER);
  const waiting = ['2', '3', '4'].map((name) => begin(name, OTHER));
  for (let turn = 0; turn < 4; turn++) await end(1);
  await Promise.all(waiting);
  expect(begun).toEqual(['1', '2', '3', '4']);
});

it('lets a request go on before others of its address, and after those of others [security 40]', async () => {
  const { begin, end, begun } = manualScheduler();
  await begin('attacker 0', ATTACKER);
  const waiting = [begin('attacker 1', ATTACKER), begin('attacker 0 goes on', ATTACKER, true)];
  waiting.push(begin('other', OTHER));
  for (let turn = 0; turn < 4; turn++) await end(5);
  await Promise.all(waiting);
  expect(begun).toEqual(['attacker 0', 'other', 'attacker 0 goes on', 'attacker 1']);
});

it('counts the time that an address used for one to two seconds', async () => {
  const { begin, end, begun } = manualScheduler();
  await begin('attacker 0', ATTACKER);
  await end(50);
  for (let period = 0; period < 3; period++) {
    await begin(`pause ${period}`);
    await end(1001);
    await begin(`tick ${period}`, '203.0.113.8');
    await end(1);
  }
  await begin('other 0', OTHER);
  const waiting = [begin('attacker 1', ATTACKER), begin('other 1', OTHER)];
  await end(2);
  await end(1);
  await Promise.all(waiting);
  expect(begun.slice(-2)).toEqual(['attacker 1', 'other 1']);
});

it('counts each request without an address for itself', async () => {
  const { begin, end, begun } = manualScheduler();
  await begin('1');
  const waiting = [begin('2'), begin('3')];
  await end(5);
  await end(5);
  await Promise.all(waiting);
  expect(begun).toEqual(['1', '2', '3']);
});

/** Lets requests run three steps each. @returns what has happened, in order; `loop`: the event loop has gone on */
async function roundsOf(requests: number, msOfRequest: number): Promise<string[]> {
  let nowMs = 0;
  const scheduler = new RequestScheduler({ now: () => nowMs });
  const happened: string[] = [];
  const run = async (name: string) => {
    await scheduler.waitForTurn(clientKeyOf(OTHER ?? ''));
    for (let step = 1; step <= 3; step++) {
      await Promise.resolve();
      happened.push(`${name}.${step}`);
    }
    nowMs += msOfRequest;
  };
  let isOver = false;
  const watch = () => {
    happened.push('loop');
    if (!isOver) setImmediate(watch);
  };
  setImmediate(watch);
  await Promise.all(Array.from({ length: requests }, (_, index) => run(String.fromCharCode(97 + index))));
  isOver = true;
  return happened;
}

it('starts the next request when everything of the one before that was ready has run', async () => {
  const steps = (await roundsOf(4, 0.1)).filter((each) => each !== 'loop');
  expect(steps).toEqual(['a', 'b', 'c', 'd'].flatMap((name) => [1, 2, 3].map((step) => `${name}.${step}`)));
});

it('lets the event loop go on after each request that takes a millisecond [security 40]', async () => {
  const happened = (await roundsOf(4, 1)).join(' ');
  expect(happened).toMatch(/a\.3.* loop .*b\.1.*b\.3.* loop .*c\.1.*c\.3.* loop .*d\.1/);
});

it('lets the event loop go on after a round of a millisecond, and not after each short request', async () => {
  const happened = (await roundsOf(40, 0.1)).join(' ');
  const loops = happened.split('loop').length - 1;
  expect(loops).toBeGreaterThanOrEqual(4);
  expect(loops).toBeLessThanOrEqual(10);
});

it('receives what other clients sent during a long request before the next one starts [security 40]', async () => {
  let nowMs = 0;
  const scheduler = new RequestScheduler({ now: () => nowMs });
  const begun: string[] = [];
  const begin = async (name: string, address: string) => {
    await scheduler.waitForTurn(clientKeyOf(address));
    begun.push(name);
  };
  const running: Promise<void>[] = [];
  const server = createServer((socket) => {
    socket.on('data', (data) => {
      if (String(data) === 'other') running.push(begin('other', OTHER ?? ''));
      if (String(data) !== 'attacker') return;
      running.push(begin('attacker 0', ATTACKER ?? ''), begin('attacker 1', ATTACKER ?? ''));
      // The other request arrives while this one runs.
      nowMs += 5;
      other.write('other');
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const [attacker, other] = [connect(port, '127.0.0.1'), connect(port, '127.0.0.1')];
  await Promise.all([once(attacker, 'connect'), once(other, 'connect')]);
  attacker.write('attacker');
  await expect.poll(() => begun.length).toBe(3);
  await Promise.all(running);
  expect(begun).toEqual(['attacker 0', 'other', 'attacker 1']);
  attacker.destroy();
  other.destroy();
  server.close();
});
