import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../testing/virtual-clock.js';
import { Deadlines } from './deadlines.js';

function setUp() {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const deadlines = new Deadlines(clock, (error) => errors.push(error));
  return { clock, deadlines, errors };
}

describe('Deadlines', () => {
  it('run in order, and never early', async () => {
    const { clock, deadlines } = setUp();
    const ran: [string, number][] = [];
    deadlines.at(5000, () => ran.push(['second', clock.now()]));
    deadlines.at(1234, () => ran.push(['first', clock.now()]));

    await clock.advance(1233);
    expect(ran).toEqual([]);
    await clock.advance(10_000);
    expect(ran.map(([name]) => name)).toEqual(['first', 'second']);
    for (const [name, atMs] of ran) expect(atMs).toBeGreaterThanOrEqual(name === 'first' ? 1234 : 5000);
  });

  it('use one timer for any number of deadlines, and no timer without deadlines [security 37]', async () => {
    const { clock, deadlines } = setUp();
    const set = Array.from({ length: 1000 }, (_, index) => deadlines.at(1000 + 37 * index, () => undefined));
    expect(deadlines.size).toBe(1000);
    expect(clock.timers).toBe(1);

    for (const deadline of set) deadline.cancel();
    expect(deadlines.size).toBe(0);
    expect(clock.timers).toBe(0);
  });

  it('may be later than `setTimeout` supports [security 37]', async () => {
    const { clock, deadlines } = setUp();
    const fortyDaysMs = 40 * 24 * 60 * 60 * 1000;
    let ran = false;
    deadlines.at(fortyDaysMs, () => {
      ran = true;
    });
    await clock.advance(fortyDaysMs - 1);
    expect(ran).toBe(false);
    await clock.advance(200);
    expect(ran).toBe(true);
  });

  it('all run if there are more than one slice, and if one of them throws', async () => {
    const { clock, deadlines, errors } = setUp();
    let ran = 0;
    for (let index = 0; index < 1000; index++) {
      deadlines.at(100, () => {
        ran++;
        if (index === 500) throw new Error('on purpose');
      });
    }
    await clock.advance(200);
    expect(ran).toBe(1000);
    expect(errors).toHaveLength(1);
    expect(deadlines.size).toBe(0);
  });

  it('do not run if the previous deadline cancels them', async () => {
    const { clock, deadlines } = setUp();
    let ran = false;
    deadlines.at(100, () => later.cancel());
    const later = deadlines.at(100, () => {
      ran = true;
    });
    await clock.advance(1000);
    expect(ran).toBe(false);
  });

  it('in the past run at once', async () => {
    const { clock, deadlines } = setUp();
    await clock.advance(5000);
    let ran = false;
    deadlines.at(10, () => {
      ran = true;
    });
    await clock.advance(100);
    expect(ran).toBe(true);
  });
});
