import { expect, it } from 'vitest';
import { VirtualClock } from '../testing/index.js';
import { DrainTimer } from './drain-timer.js';

const never = new Promise<void>(() => undefined);

/** Whether a wait is over by the time at which all that could be done has been done. */
async function isOver(waiting: Promise<void>): Promise<boolean> {
  let over = false;
  void waiting.then(() => {
    over = true;
  });
  await new Promise((resolve) => setImmediate(resolve));
  return over;
}

it('waits until the promise is fulfilled or rejected', async () => {
  const drain = new DrainTimer(new VirtualClock());
  expect(await isOver(drain.waitFor(Promise.resolve(), 1000))).toBe(true);
  expect(await isOver(drain.waitFor(Promise.reject(new Error('no')), 1000))).toBe(true);
  expect(await isOver(drain.waitFor(never, 1000))).toBe(false);
});

it('waits no longer than the given time', async () => {
  const clock = new VirtualClock();
  const waiting = new DrainTimer(clock).waitFor(never, 1000);
  await clock.advance(999);
  expect(await isOver(waiting)).toBe(false);
  await clock.advance(1);
  expect(await isOver(waiting)).toBe(true);
});

it('ends current and later waits after the delay', async () => {
  const clock = new VirtualClock();
  const drain = new DrainTimer(clock);
  const waiting = drain.waitFor(never, 60_000);
  drain.endAfter(1000);
  expect(await isOver(waiting)).toBe(false);
  await clock.advance(1000);
  expect(await isOver(waiting)).toBe(true);
  expect(await isOver(drain.waitFor(never, 60_000))).toBe(true);
});

it('never sets a longer timer than Node supports', () => {
  const delays: number[] = [];
  const after = (delayMs: number) => {
    delays.push(delayMs);
    return () => undefined;
  };
  const drain = new DrainTimer({ now: () => 0, after });
  void drain.waitFor(never, 2 ** 40);
  drain.endAfter(2 ** 40);
  expect(delays).toEqual([2 ** 31 - 1, 2 ** 31 - 1]);
});
