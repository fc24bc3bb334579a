import { signedOut } from '../errors.js';
import type { SessionRef } from './ids.js';
import type { SessionSnapshot } from './session-record.js';

/** A signal for each session between two sign-outs. It aborts when the session is signed out or ends. */
export class SessionSignals {
  /** By session and epoch. */
  readonly #aborts = new Map<SessionRef, Map<number, AbortController>>();

  of({ ref, epoch }: SessionSnapshot): AbortSignal {
    const ofSession = this.#aborts.get(ref) ?? new Map<number, AbortController>();
    this.#aborts.set(ref, ofSession);
    const abort = ofSession.get(epoch) ?? new AbortController();
    ofSession.set(epoch, abort);
    return abort.signal;
  }

  /** Aborts the signals of a session. @param currentEpoch the epoch whose signal does not abort; absent: none */
  abort(ref: SessionRef, currentEpoch?: number): void {
    const ofSession = this.#aborts.get(ref) ?? new Map<number, AbortController>();
    for (const [epoch, abort] of ofSession) {
      if (epoch === currentEpoch) continue;
      ofSession.delete(epoch);
      abort.abort(signedOut());
    }
    if (ofSession.size === 0) this.#aborts.delete(ref);
  }
}
