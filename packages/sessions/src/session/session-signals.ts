import { signedOut } from '../errors.js';
import type { SessionRef } from './ids.js';

/** A signal for each session, which aborts when it is signed out or ends. */
export class SessionSignals {
  readonly #aborts = new Map<SessionRef, AbortController>();

  /** Aborts at the session's next sign-out or end. */
  of(ref: SessionRef): AbortSignal {
    const abort = this.#aborts.get(ref) ?? new AbortController();
    this.#aborts.set(ref, abort);
    return abort.signal;
  }

  abort(ref: SessionRef): void {
    this.#aborts.get(ref)?.abort(signedOut());
    this.#aborts.delete(ref);
  }
}
