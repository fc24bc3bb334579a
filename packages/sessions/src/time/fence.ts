import type { Clock } from './clock.js';

/** Whether a request may still be sent. Call it in the tick in which it is. */
export type Fence = () => boolean;

export interface FenceClocks {
  readonly clock: Clock;
  /** Milliseconds on a clock that continues while the machine is suspended. */
  readonly wallNow: () => number;
}

/** A fence that falls when one of two clocks has moved by `withinMs`. */
export function fenceFor({ clock, wallNow }: FenceClocks, withinMs: number): Fence {
  const [startedMs, startedWallMs] = [clock.now(), wallNow()];
  return () => clock.now() - startedMs < withinMs && Math.abs(wallNow() - startedWallMs) < withinMs;
}
