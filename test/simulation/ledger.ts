import type { InternalEvent } from '../../packages/sessions/src/session/session-events.js';
import type { SessionRecord } from '../../packages/sessions/src/session/session-record.js';
import type { TokenFamilies } from './token-families.js';

/** An invariant of this library that was violated. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

interface Login {
  /** The session it belongs to now. */
  ref: string;
  epoch: number;
  /** The number of sign-outs of that session when the login began. */
  signOuts: number;
  /** When its end was seen. */
  overAtMs: number | undefined;
}

export interface LedgerOptions {
  readonly families: TokenFamilies;
  /** The current number of sign-outs of a session, from its record in the store. */
  readonly epochOf: (ref: string) => number;
  readonly now: () => number;
  /** How far the clock of a node may be off. */
  readonly clockErrorMs: number;
  /** Whether a node may still act on what it has read before another node has changed it. */
  readonly mayLag: boolean;
  /**
   * Whether a node does not know if it has removed a session. It wipes and revokes in any case, so the session may end
   * there and at the node that has removed it. Both are harmless twice, and each node emits the event of what it does;
   * a node that left them out could leave tokens valid (rule 34).
   */
  readonly mayEndTwice: (ref: string) => boolean;
}

/** A request to the API. */
export interface ApiRequest {
  readonly token: string;
  readonly ref: string;
  /** The number of sign-outs of the session when the caller got it. */
  readonly signOuts: number;
  readonly beganAtMs: number;
}

/**
 * The expected state, recorded independently of the library from what is visible outside of it: the session of each
 * login, the logins that have ended, and the events of each session.
 */
export class Ledger {
  readonly #options: LedgerOptions;
  readonly #refs = new Set<string>();
  readonly #logins = new Map<number, Login>();
  /** When each session ended. */
  readonly #ended = new Map<string, number>();
  /** Sessions whose newest state an engine has lost. */
  readonly #excused = new Set<string>();
  readonly violations: Violation[] = [];

  constructor(options: LedgerOptions) {
    this.#options = options;
  }

  /** A session has started. */
  started(ref: string): void {
    this.#refs.add(ref);
  }

  /** A login is committed to a session next. */
  began(family: number, { ref, epoch }: SessionRecord, signOuts: number): void {
    this.#logins.set(family, { ref, epoch, signOuts, overAtMs: undefined });
    if (this.#excused.has(ref)) this.#options.families.excuse(family);
  }

  /** A login was refused, or replaced by a later one. */
  isOver(family: number): void {
    const login = this.#logins.get(family);
    if (login) login.overAtMs ??= this.#options.now();
  }

  /** A pending handle's logins belong to another session from now on. */
  moved(from: string, to: string): void {
    this.#refs.add(to);
    if (this.#excused.has(from)) this.excuse([to]);
    for (const login of this.#logins.values())
      if (login.ref === from) Object.assign(login, { ref: to, epoch: 0, signOuts: 0 });
  }

  /**
   * An engine has lost its newest writes. What is said of these sessions from now on may be older than what was said
   * before, and their refresh tokens may be used up.
   */
  excuse(refs: Iterable<string>): void {
    for (const ref of refs) this.#excused.add(ref);
    for (const [family, { ref }] of this.#logins)
      if (this.#excused.has(ref)) this.#options.families.excuse(family);
  }

  isExcused(ref: string): boolean {
    return this.#excused.has(ref);
  }

  /** A node has served a session. @param beganAtMs when it began to look for it */
  served(ref: string, beganAtMs: number): void {
    const endedAtMs = this.#ended.get(ref);
    if (endedAtMs !== undefined && endedAtMs < beganAtMs && !this.isExcused(ref))
      this.#violated('A session was served after its end.');
  }

  handle(event: InternalEvent): void {
    switch (event.type) {
      case 'session.ended':
        if (this.#ended.has(event.ref) && !this.#options.mayEndTwice(event.ref) && !this.isExcused(event.ref))
          this.#violated('A session ended twice.');
        this.#ended.set(event.ref, this.#options.now());
        if (event.reason !== 'replaced') this.#endLogins(event.ref, Number.POSITIVE_INFINITY);
        return;
      case 'session.signed_out':
        // The events of two nodes can come in another order than their changes.
        if (this.#ended.has(event.ref) && !this.#options.mayLag)
          this.#violated('A session was signed out after its end.');
        this.#endLogins(event.ref, this.#options.epochOf(event.ref));
        return;
      default:
    }
  }

  /** An API was called. */
  used({ token, ref, signOuts, beganAtMs }: ApiRequest): void {
    const { families, now, clockErrorMs, mayLag } = this.#options;
    if (this.isExcused(ref)) return;
    if (families.hasExpired(token, now() - clockErrorMs)) this.#violated('A token was used after its end.');
    const login = this.#logins.get(families.of(token));
    if (!login || login.ref !== ref) this.#violated('A session used a token of another session.');
    else if (login.overAtMs !== undefined && !(mayLag && beganAtMs <= login.overAtMs))
      this.#violated('A token was used after its sign-out.');
    else if (login.signOuts !== signOuts) this.#violated('A session object outlived a sign-out.');
  }

  /** An API answered a call that was made with a token. */
  answered(token: string): void {
    const { families, mayLag } = this.#options;
    const isOver = this.#logins.get(families.of(token))?.overAtMs !== undefined;
    if (isOver && !mayLag) this.#violated('A call went on after its sign-out.');
  }

  /** A token was found under seal in the record of a session. */
  found(token: string, ref: string): void {
    // A handle that a promotion has not returned yet has no client.
    if (!this.#refs.has(ref) || this.isExcused(ref)) return;
    const login = this.#logins.get(this.#options.families.of(token));
    if (!login || login.ref !== ref) this.#violated('A record holds a token of another session.');
    else if (login.overAtMs !== undefined) this.#violated('A record holds a token after its sign-out.');
  }

  /** A login has ended, so its user has to log in again. */
  gaveUp(refreshToken: string): void {
    if (this.#options.families.isGood(refreshToken))
      this.#violated('A login was given up although its refresh token was good.');
  }

  violated(message: string): void {
    this.#violated(message);
  }

  #endLogins(ref: string, beforeEpoch: number): void {
    for (const login of this.#logins.values()) {
      if (login.ref === ref && login.epoch < beforeEpoch) login.overAtMs ??= this.#options.now();
    }
  }

  #violated(message: string): void {
    this.violations.push(new Violation(message));
  }
}
