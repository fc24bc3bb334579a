import type { SessionRef } from '../../session/ids.js';
import { ErrorCode, errorResponse } from './error-response.js';

/** How many requests of one session are served at a time. */
export const MAX_IN_FLIGHT = 100;

/** Counts the requests that are being served for each session, where each of them stands alone. */
export class InFlightLimit {
  readonly #counts = new Map<SessionRef, number>();

  /**
   * Takes in another one, if it may come.
   * @returns what to call once, when it is answered
   */
  begin(ref: SessionRef): (() => void) | undefined {
    const count = this.#counts.get(ref) ?? 0;
    if (count >= MAX_IN_FLIGHT) return undefined;
    this.#counts.set(ref, count + 1);
    return () => this.#end(ref);
  }

  #end(ref: SessionRef): void {
    const count = (this.#counts.get(ref) ?? 1) - 1;
    if (count === 0) this.#counts.delete(ref);
    else this.#counts.set(ref, count);
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
