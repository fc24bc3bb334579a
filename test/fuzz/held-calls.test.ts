import { expect, it } from 'vitest';
import { HeldCalls, MOST_HELD } from './held-calls.js';

/** A call that ends when its client abandons it. */
function hold(held: HeldCalls, untilNumber: number) {
  let isGivenUp = false;
  let answer = () => {};
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const giveUp = () => {
    isGivenUp = true;
    answer();
  };
  held.add({ answered, untilNumber, giveUp });
  return { isGivenUp: () => isGivenUp, answer };
}

it('abandons a call after its number of requests', () => {
  const held = new HeldCalls();
  const [hasty, patient] = [hold(held, 10), hold(held, 11)];
  held.pass(10);
  expect([hasty, patient].map(({ isGivenUp }) => isGivenUp())).toEqual([true, false]);
});

it('does not abandon a call that has ended', async () => {
  const held = new HeldCalls();
  const call = hold(held, 10);
  call.answer();
  await Promise.resolve();
  held.pass(10);
  await held.end();
  expect(call.isGivenUp()).toBe(false);
});

it('abandons the oldest call above the limit, and all calls at the end', async () => {
  const held = new HeldCalls();
  const calls = Array.from({ length: MOST_HELD + 1 }, () => hold(held, 10));
  expect(calls.map(({ isGivenUp }) => isGivenUp())).toEqual([true, ...calls.slice(1).map(() => false)]);
  await held.end();
  expect(calls.every(({ isGivenUp }) => isGivenUp())).toBe(true);
});
