import { expect, it } from 'vitest';
import { clientKeyOf } from '../../limits/client-key.js';
import { RequestScheduler } from './request-scheduler.js';

/** Turns that end when the test ends them, each after so many milliseconds. */
function turnsByHand() {
  let nowMs = 0;
  const ends: (() => void)[] = [];
  const turns = new RequestScheduler({ now: () => nowMs, afterTurn: (next) => void ends.push(next) });
  const begun: string[] = [];
  const take = async (name: string, address?: string) => {
    await turns.take(address === undefined ? undefined : clientKeyOf(address));
    begun.push(name);
  };
  const end = async (tookMs: number) => {
    nowMs += tookMs;
    ends.shift()?.();
    // What begins with the next turn runs in microtasks.
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { take, end, begun };
}

const [ATTACKER, OTHER] = ['203.0.113.66', '203.0.113.7'];

it('one request begins at a time, and at once if there is no other', async () => {
  const { take, end, begun } = turnsByHand();
  await take('first', OTHER);
  const second = take('second', OTHER);
  expect(begun).toEqual(['first']);
  await end(1);
  await second;
  await end(1);
  await take('third', OTHER);
  expect(begun).toEqual(['first', 'second', 'third']);
});

it('the address that used the least time goes first, however many requests another one sent [security 40]', async () => {
  const { take, end, begun } = turnsByHand();
  await take('attacker 0', ATTACKER);
  const taken = [1, 2, 3].map((index) => take(`attacker ${index}`, ATTACKER));
  taken.push(take('other 1', OTHER), take('other 2', OTHER));
  for (let turn = 0; turn < 6; turn++) await end(turn === 0 ? 50 : 5);
  await Promise.all(taken);
  expect(begun).toEqual(['attacker 0', 'other 1', 'other 2', 'attacker 1', 'attacker 2', 'attacker 3']);
});

it('requests of one address begin in the order in which they came', async () => {
  const { take, end, begun } = turnsByHand();
  await take('1', OTHER);
  const taken = ['2', '3', '4'].map((name) => take(name, OTHER));
  for (let turn = 0; turn < 4; turn++) await end(1);
  await Promise.all(taken);
  expect(begun).toEqual(['1', '2', '3', '4']);
});

it('time that an address used counts for a second or two', async () => {
  const { take, end, begun } = turnsByHand();
  await take('attacker 0', ATTACKER);
  await end(50);
  for (let period = 0; period < 3; period++) {
    await take(`pause ${period}`);
    await end(1001);
    await take(`tick ${period}`, '203.0.113.8');
    await end(1);
  }
  await take('other 0', OTHER);
  const taken = [take('attacker 1', ATTACKER), take('other 1', OTHER)];
  await end(2);
  await end(1);
  await Promise.all(taken);
  expect(begun.slice(-2)).toEqual(['attacker 1', 'other 1']);
});

it('requests without an address each count for themselves', async () => {
  const { take, end, begun } = turnsByHand();
  await take('1');
  const taken = [take('2'), take('3')];
  await end(5);
  await end(5);
  await Promise.all(taken);
  expect(begun).toEqual(['1', '2', '3']);
});
