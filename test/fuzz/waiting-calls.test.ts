import { expect, it } from 'vitest';
import { MAX_WAITING_CALLS, WaitingCalls } from './waiting-calls.js';

/** A call that ends when its client abandons it. */
function hold(held: WaitingCalls, untilNumber: number) {
  let isAbandoned = false;
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const abandon = () => {
    isAbandoned = true;
    answer();
  };
  held.add({ answered, untilNumber, abandon });
  return { isAbandoned: () => isAbandoned, answer };
}

it('abandons a call after its number of requests', () => {
  const held = new WaitingCalls();
  const [impatient, patient] = [hold(held, 10), hold(held, 11)];
  held.pass(10);
  expect([impatient, patient].map(({ isAbandoned }) => isAbandoned())).toEqual([true, false]);
});

it('does not abandon a call that has ended', async () => {
  const held = new WaitingCalls();
  const call = hold(held, 10);
  call.answer();
  await Promise.resolve();
  held.pass(10);
  await held.end();
  expect(call.isAbandoned()).toBe(false);
});

it('abandons the oldest call above the limit, and all calls at the end', async () => {
  const held = new WaitingCalls();
  const calls = Array.from({ length: MAX_WAITING_CALLS + 1 }, () => hold(held, 10));
  expect(calls.map(({ isAbandoned }) => isAbandoned())).toEqual([true, ...calls.slice(1).map(() => false)]);
  await held.end();
  expect(calls.every(({ isAbandoned }) => isAbandoned())).toBe(true);
});
