import { ExpiringMap } from '../limits/expiring-map.js';
import type { Clock } from '../time/clock.js';
import type { SessionRef } from './ids.js';
import type { EndReason } from './session-record.js';

const KEPT_MS = 10 * 60 * 1000;
const MAX_TOMBSTONES = 10_000;

/** The reasons why sessions ended, for ten minutes, so that a client with the handle gets the reason. */
export class Tombstones extends ExpiringMap<SessionRef, EndReason> {
  constructor(clock: Clock) {
    super({ clock, maxEntries: MAX_TOMBSTONES, ttlMs: KEPT_MS });
  }
}
