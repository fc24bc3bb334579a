import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { AdvanceableClock } from './advanceable-clock.js';

const HOUR_MS = 60 * 60 * 1000;

it('runs due timers once and in order when it advances', async () => {
  const clock = new AdvanceableClock();
  const ran: string[] = [];
  clock.after(2 * HOUR_MS, () => ran.push('second'));
  clock.after(HOUR_MS, () => ran.push('first'));
  clock.after(4 * HOUR_MS, () => ran.push('not yet'))();
  clock.after(5 * HOUR_MS, () => ran.push('not yet'));
  clock.advance(3 * HOUR_MS);
  clock.advance(0);
  await expect.poll(() => ran).toEqual(['first', 'second']);
  expect(clock.now()).toBeGreaterThan(3 * HOUR_MS);
});

it('runs a timer in the async context in which it was set', async () => {
  const clock = new AdvanceableClock();
  const storage = new AsyncLocalStorage<string>();
  const seen = new Promise((resolve) => {
    storage.run('the caller of after', () => clock.after(HOUR_MS, () => resolve(storage.getStore())));
  });
  storage.run('the caller of advance', () => clock.advance(HOUR_MS));
  expect(await seen).toBe('the caller of after');
});

it('runs timers as time passes', async () => {
  await new Promise<void>((resolve) => new AdvanceableClock().after(1, resolve));
});
