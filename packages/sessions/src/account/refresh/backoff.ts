import type { PostponedRefresh } from './granted-tokens.js';

/** The unit of the pause during an outage. It doubles with each failure. */
const FIRST_PAUSE_MS = 2000;
/** The maximum pause. */
const MAX_PAUSE_MS = 30_000;
/** The minimum pause, also with jitter. */
const MIN_PAUSE_MS = 500;
/** The pause after the first refresh that the provider refused. A repetition helps only after a change there. */
const FIRST_REFUSED_PAUSE_MS = 30_000;
const MAX_REFUSED_PAUSE_MS = 15 * 60_000;
const REFUSED_JITTER = 0.25;

/**
 * The pause after a failed refresh.
 * @param failures the number of failed refreshes in a row
 * @param fraction a random number from 0 to 1
 */
export function backoffMs(kind: PostponedRefresh['kind'], failures: number, fraction: number): number {
  if (kind === 'unavailable')
    return Math.max(MIN_PAUSE_MS, fraction * Math.min(FIRST_PAUSE_MS * 2 ** failures, MAX_PAUSE_MS));
  const pauseMs = Math.min(FIRST_REFUSED_PAUSE_MS * 2 ** (failures - 1), MAX_REFUSED_PAUSE_MS);
  return pauseMs * (1 - REFUSED_JITTER * fraction);
}
