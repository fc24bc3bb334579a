import { queryObjects } from 'node:v8';
import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.js';

/** A list of Node for the timers of one delay. */
function listOf(timer: NodeJS.Timeout): object {
  // Node documents no other way to see it.
  return (timer as unknown as { readonly _idlePrev: object })._idlePrev;
}

describe('the clock of Node', () => {
  it('leaves nothing of a timer that was cancelled, whatever its delay', () => {
    const timer = setInterval(() => undefined, 7_654_321);
    // Node does not export the class.
    const TimersList = listOf(timer).constructor as new () => object;
    clearInterval(timer);
    const lists = () => queryObjects(TimersList, { format: 'count' });
    const before = lists();
    for (let delayMs = 1_000_000; delayMs < 1_001_000; delayMs++)
      systemClock.after(delayMs, () => undefined)();
    for (let delayMs = 2_000_000; delayMs < 2_001_000; delayMs++) {
      systemClock.after(delayMs + 0.5, () => undefined)();
    }
    expect(lists() - before).toBeLessThan(10);
  });

  it('runs a function once, and not after its timer was cancelled', async () => {
    const ran: string[] = [];
    const cancel = systemClock.after(0, () => void ran.push('cancelled'));
    cancel();
    await new Promise<void>((resolve) => {
      const cancelLate = systemClock.after(1, () => {
        ran.push('ran');
        cancelLate();
        resolve();
      });
    });
    cancel();
    expect(ran).toEqual(['ran']);
  });
});
