import { Counter } from '../../limits/counter.js';
import type { SessionRef } from '../../session/ids.js';
import { ErrorCode, errorResponse } from './error-response.js';

/** How many requests of one session are served at a time. */
export const MAX_IN_FLIGHT = 100;

/** Counts the requests that are being served for each session, where each of them stands alone. */
export class InFlightLimit {
  readonly #counts = new Counter<SessionRef>();

  /**
   * Takes in another one, if it may come.
   * @returns what to call once, when it is answered
   */
  begin(ref: SessionRef): (() => void) | undefined {
    if (this.#counts.get(ref) >= MAX_IN_FLIGHT) return undefined;
    this.#counts.add(ref, 1);
    return () => this.#counts.add(ref, -1);
  }
}

/** What is answered to one request too many. */
export function tooManyInFlight(id?: unknown): Response {
  return errorResponse(
    503,
    ErrorCode.serverBusy,
    `No more than ${MAX_IN_FLIGHT} requests of a session are served at a time. Wait for some to be answered.`,
    { id, headers: { 'retry-after': '1' } },
  );
}
