import { describe, expect, it } from 'vitest';
import { ManualClock } from '../../../../../test/support/manual-clock.js';
import { EngineClock } from './engine-clock.js';

const WALL_MS = 1_000_000;

function bench() {
  const base = new ManualClock();
  const clock = new EngineClock(base, () => WALL_MS);
  /** Looks at an engine whose clock shows `engineMs` in the middle of the round trip. */
  const look = (engineMs: number, roundTripMs = 10) => {
    const sentAtMs = clock.localNow();
    base.advance(roundTripMs);
    return clock.set({ sentAtMs, engineMs, receivedAtMs: clock.localNow() });
  };
  return { base, clock, look };
}

describe('the clock of an engine', () => {
  it('is the wall clock before the first look', () => {
    const { base, clock } = bench();
    expect(clock.now()).toBe(WALL_MS);
    base.advance(30);
    expect(clock.now()).toBe(WALL_MS + 30);
  });

  it('has the time of the engine, between looks counted by this process', () => {
    const { base, clock, look } = bench();
    expect(look(5_000_000)).toBe(true);
    expect(clock.now()).toBe(5_000_005);
    base.advance(1000);
    expect(clock.now()).toBe(5_001_005);
  });

  it('does not use a look that took longer than 150 ms', () => {
    const { clock, look } = bench();
    expect(look(5_000_000, 151)).toBe(false);
    expect(clock.now()).toBe(WALL_MS + 151);
    expect(look(5_000_000, 150)).toBe(true);
    expect(clock.now()).toBe(5_000_075);
  });

  it('stands still while the engine is up to a second behind, and never runs back', () => {
    const { base, clock, look } = bench();
    look(5_000_000);
    const before = clock.now();
    look(before - 900);
    expect(clock.now()).toBe(before);
    base.advance(800);
    expect(clock.now()).toBe(before);
    base.advance(200);
    expect(clock.now()).toBe(before + 105);
  });

  it('follows an engine that is more than a second behind', () => {
    const { clock, look } = bench();
    look(5_000_000);
    look(4_000_000);
    expect(clock.now()).toBe(4_000_005);
  });
});
