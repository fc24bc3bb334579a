import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { HastyClock } from './hasty-clock.js';

const HOUR_MS = 60 * 60 * 1000;

it('runs due timers once and in order when it advances', async () => {
  const clock = new HastyClock();
  const ran: string[] = [];
  clock.after(2 * HOUR_MS, () => ran.push('second'));
  clock.after(HOUR_MS, () => ran.push('first'));
  clock.after(4 * HOUR_MS, () => ran.push('not yet'))();
  clock.after(5 * HOUR_MS, () => ran.push('not yet'));
  clock.putForward(3 * HOUR_MS);
  clock.putForward(0);
  await expect.poll(() => ran).toEqual(['first', 'second']);
  expect(clock.now()).toBeGreaterThan(3 * HOUR_MS);
});

it('runs a timer in the async context in which it was set', async () => {
  const clock = new HastyClock();
  const storage = new AsyncLocalStorage<string>();
  const seen = new Promise((resolve) => {
    storage.run('whoever set it', () => clock.after(HOUR_MS, () => resolve(storage.getStore())));
  });
  storage.run('whoever puts it forward', () => clock.putForward(HOUR_MS));
  expect(await seen).toBe('whoever set it');
});

it('runs timers as time passes', async () => {
  await new Promise<void>((resolve) => new HastyClock().after(1, resolve));
});
