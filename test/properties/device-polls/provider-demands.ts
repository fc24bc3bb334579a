import type { PollAnswer } from './poll-answers.js';

/** The longest pause after a failure, unless the provider demands a longer one. */
const MAX_PAUSE_MS = 60_000;
const SLOW_DOWN_MS = 5000;

interface Terms {
  /** Seconds between two polls. Default: 5 */
  readonly interval: number | undefined;
  /** Seconds until the code expires. */
  readonly lifetime: number;
}

/** The lifetime of a login, whatever the provider says of its code. */
const MAX_LIFETIME_MS = 600_000;

/** What a provider demands of polls (RFC 8628 sections 3.2 and 3.5), and what was sent. */
export class ProviderDemands {
  readonly #now: () => number;
  #intervalMs: number;
  /** When the next poll is allowed. */
  #allowedAtMs: number;
  /** When it is due. */
  #dueAtMs: number;
  readonly #codeExpiresAtMs: number;
  /** When the login expires. */
  readonly expiresAtMs: number;
  /** Why the login has to have ended. */
  end: RegExp | undefined;
  polls = 0;
  /** When the last answer came. */
  answeredAtMs = 0;
  readonly violations: string[] = [];

  constructor(now: () => number, { interval = 5, lifetime }: Terms) {
    this.#now = now;
    this.#intervalMs = interval * 1000;
    this.#allowedAtMs = now() + this.#intervalMs;
    this.#dueAtMs = this.#allowedAtMs;
    this.#codeExpiresAtMs = now() + lifetime * 1000;
    this.expiresAtMs = Math.min(this.#codeExpiresAtMs, now() + MAX_LIFETIME_MS);
  }

  /** A poll was sent. */
  polled(): void {
    const nowMs = this.#now();
    this.polls++;
    if (this.end) this.violations.push(`It polls again after the login has ended (${this.end.source}).`);
    if (nowMs < this.#allowedAtMs)
      this.violations.push(`It polls ${this.#allowedAtMs - nowMs} ms too early.`);
    if (nowMs >= this.#codeExpiresAtMs) this.violations.push('It polls with a code that has expired.');
    this.#dueAtMs = Number.POSITIVE_INFINITY;
  }

  /** Its answer has come, or its connection has ended. */
  answered({ meaning, slowsDown, isSilent, ...demanded }: Omit<PollAnswer, 'respond'>): void {
    const { intervalSeconds = 0, retryAfterSeconds = 0 } = demanded;
    this.answeredAtMs = this.#now();
    if (meaning instanceof RegExp) this.end = meaning;
    if (slowsDown) this.#intervalMs = Math.max(this.#intervalMs + SLOW_DOWN_MS, intervalSeconds * 1000);
    // A connection without a response is a reason to poll less often (RFC 8628 section 3.5).
    const leastMs = isSilent ? Math.min(2 * this.#intervalMs, MAX_PAUSE_MS) : this.#intervalMs;
    const pauseMs = Math.max(leastMs, this.#intervalMs, retryAfterSeconds * 1000);
    this.#allowedAtMs = this.#now() + pauseMs;
    this.#dueAtMs = this.#now() + (meaning === 'pending' ? pauseMs : Math.max(pauseMs, MAX_PAUSE_MS));
  }

  /** Checks that the next poll is not late. */
  checkProgress(): void {
    if (this.end || this.#dueAtMs >= this.expiresAtMs) return;
    if (this.#now() > this.#dueAtMs) this.violations.push('It does not poll any more.');
  }
}
