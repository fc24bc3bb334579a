import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';
import { type Deadline, Deadlines } from '../../packages/sessions/src/time/deadlines.js';

const ROUNDED_TO_MS = 100;
/** Longer than a timer of Node's can wait. */
const LONG_MS = 2 ** 32;

/** What the deadlines should know of one of them. */
interface Expected {
  readonly number: number;
  readonly dueAtMs: number;
}

const duration = fc.oneof(
  { weight: 8, arbitrary: fc.nat({ max: 1000 }) },
  { weight: 1, arbitrary: fc.nat({ max: LONG_MS }) },
);
const steps = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('set' as const),
      inMs: fc.oneof(duration, fc.integer({ min: -500, max: 0 })),
      /** Set another one from within it. */
      thenInMs: fc.option(duration, { nil: undefined }),
    }),
    fc.record({ kind: fc.constant('cancel' as const), which: fc.nat({ max: 100 }) }),
    fc.record({ kind: fc.constant('advance' as const), byMs: duration }),
  ),
  { maxLength: 60, size: 'max' },
);

/** Deadlines beside a list of what is to be expected of them. */
class Bench {
  readonly clock: VirtualClock = new VirtualClock();
  readonly deadlines: Deadlines;
  readonly waiting = new Map<Expected, Deadline>();
  readonly errors: unknown[] = [];
  readonly #latenessMs: number;
  #set = 0;
  #last: Expected = { number: 0, dueAtMs: 0 };

  /** @param latenessMs how much later than asked for each timer fires, as in a busy process */
  constructor(latenessMs: number) {
    const clock: Clock = {
      now: () => this.clock.now(),
      after: (delayMs, run) => this.clock.after(delayMs + latenessMs, run),
    };
    this.#latenessMs = latenessMs;
    this.deadlines = new Deadlines(clock, (error) => this.errors.push(error));
  }

  set(inMs: number, thenInMs?: number): void {
    const now = this.clock.now();
    const dueAtMs = Math.ceil(Math.max(now, now + inMs) / ROUNDED_TO_MS) * ROUNDED_TO_MS;
    const expected: Expected = { number: ++this.#set, dueAtMs };
    const deadline = this.deadlines.at(now + inMs, () => {
      this.#ran(expected);
      if (thenInMs !== undefined) this.set(thenInMs);
    });
    this.waiting.set(expected, deadline);
  }

  cancel(which: number): void {
    const [expected, deadline] = [...this.waiting][which % Math.max(this.waiting.size, 1)] ?? [];
    deadline?.cancel();
    // A second time, it does nothing.
    deadline?.cancel();
    if (expected) this.waiting.delete(expected);
  }

  #ran(expected: Expected): void {
    const lateByMs = this.clock.now() - expected.dueAtMs;
    expect(this.waiting.delete(expected)).toBe(true);
    expect(lateByMs).toBeGreaterThanOrEqual(0);
    expect(lateByMs).toBeLessThanOrEqual(this.#latenessMs);
    const inOrder =
      expected.dueAtMs > this.#last.dueAtMs ||
      (expected.dueAtMs === this.#last.dueAtMs && expected.number > this.#last.number);
    expect(inOrder).toBe(true);
    this.#last = expected;
  }

  async advance(byMs: number): Promise<void> {
    await this.clock.advance(byMs);
    for (const { dueAtMs } of this.waiting.keys())
      expect(dueAtMs + this.#latenessMs).toBeGreaterThan(this.clock.now());
  }

  check(): void {
    expect(this.errors).toEqual([]);
    expect(this.deadlines.size).toBe(this.waiting.size);
    expect(this.clock.timers).toBe(this.waiting.size > 0 ? 1 : 0);
  }
}

describe('deadlines', () => {
  it('run in their order and once, whatever is set, cancelled and waited for, behind one timer [security 37]', async () => {
    await fc.assert(
      fc.asyncProperty(steps, fc.constantFrom(0, 30, 250), async (sequence, latenessMs) => {
        const bench = new Bench(latenessMs);
        for (const step of sequence) {
          if (step.kind === 'set') bench.set(step.inMs, step.thenInMs);
          else if (step.kind === 'cancel') bench.cancel(step.which);
          else await bench.advance(step.byMs);
          bench.check();
        }
      }),
    );
  });
});
