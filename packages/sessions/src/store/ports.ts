import type { OneTimeStore } from '../limits/one-time-store.js';
import type { Rates } from '../limits/rates.js';
import type { AttemptStore } from '../login/attempt-store.js';
import type { SessionRef } from '../session/ids.js';
import type { Messages } from '../session/messages.js';
import type { SessionStore, StoredSessions } from '../session/session-store.js';
import type { Clock } from '../time/clock.js';
import type { Deadlines } from '../time/deadlines.js';
import { LocalMessages } from './local-messages.js';
import { MapAttemptStore } from './map-attempt-store.js';
import { MapOneTimeStore } from './map-one-time-store.js';
import { MapRates } from './map-rates.js';
import { SessionTable } from './table/session-table.js';

/** The stores of a server, and its messages. */
export interface Ports {
  readonly sessions: SessionStore;
  readonly attempts: AttemptStore;
  readonly oneTime: OneTimeStore;
  readonly rates: Rates;
  readonly messages: Messages;
  /** Whether sessions outlive this process. Closing a server ends them otherwise. */
  readonly outlivesProcess: boolean;
  /**
   * When another engine took over from the one before, which may have lost the latest writes of other nodes. `-Infinity`:
   * never. Default: never
   */
  readonly failedOverAtMs?: (() => number) | undefined;
  /** Counts the sessions in the memory of this process, by their state. Absent: they are elsewhere. */
  readonly countStored?: (() => StoredSessions) | undefined;
}

export interface PortsOptions {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  /** Whether the client of a session is present in this process. */
  readonly isPresent: (ref: SessionRef) => boolean;
}

export type CreatePorts = (options: PortsOptions) => Ports;

/** The stores that keep everything in this process. */
export function createMapPorts(options: PortsOptions): Ports {
  const sessions = new SessionTable(options);
  return {
    sessions,
    countStored: () => sessions.counts,
    attempts: new MapAttemptStore(options),
    oneTime: new MapOneTimeStore(options.clock),
    rates: new MapRates(options),
    messages: new LocalMessages(),
    outlivesProcess: false,
  };
}
