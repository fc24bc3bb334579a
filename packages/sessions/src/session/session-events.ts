import { isThenable } from '../time/promises.js';
import type { SessionRef } from './ids.js';
import type {
  AccountFailureReason,
  EndReason,
  GrantNonconformance,
  SessionKind,
  SignOutReason,
} from './session-record.js';

/** What the provider said of tokens that were to be revoked. */
export type Revocation = 'confirmed' | 'unconfirmed' | 'unsupported';

/** How a login attempt failed. */
export type LoginFailure =
  | 'declined'
  | 'expired'
  | 'browser_mismatch'
  /** The user who finished it is not the one who started it. */
  | 'identity_mismatch'
  | 'provider_unavailable'
  | 'provider_refused'
  | 'wrong_code'
  | 'superseded'
  | 'evicted'
  | 'signed_out';

/**
 * How a user logs in: in a browser that follows a link of ours, or by a code typed in at the provider's own page
 * (RFC 8628).
 */
export type LoginFlow = 'link' | 'device';

/**
 * How it is made sure that whoever finishes a login is whoever started it (MCP client/elicitation, Phishing).
 *
 * - `same-user`: the provider issued the client's token, too, and its ID token names the same user.
 * - `sign-in`: the browser signs in first at the authorization server that issued the client's token.
 * - `code`: the browser shows a code that the session has to present.
 * - `none`: both are on this machine, where no remote browser can come.
 * - `unchecked`: it is not. The device flow has no browser of ours, and the operator has turned it on knowing that.
 */
export type LoginCheck = 'same-user' | 'sign-in' | 'code' | 'none' | 'unchecked';

/** The reasons for refusing an access token, in the log and in events. docs/access-tokens.md explains each. */
export type TokenFaultReason = (typeof TOKEN_FAULT_REASONS)[number];

export const TOKEN_FAULT_REASONS = [
  'malformed',
  // Not a JWT, and introspection is not configured.
  'opaque',
  'algorithm',
  'unknown_key',
  'signature',
  'issuer',
  'audience',
  'client',
  'subject',
  'expired',
  'not_yet_valid',
  // The introspection response has `active: false` (RFC 7662 section 2.2).
  'not_active',
  'scope',
  'id_token',
  'refresh_token',
  'token_type',
  // Bound to a key (`cnf`, RFC 7800) by DPoP or mutual TLS.
  'key_bound',
] as const;

/** Everything that happens to a session. Contains no tokens, ids or handles, so that it can be logged. */
export type SessionEvent =
  | { readonly type: 'session.started'; readonly ref: SessionRef; readonly kind: SessionKind }
  | { readonly type: 'session.signed_out'; readonly ref: SessionRef; readonly reason: SignOutReason }
  /** Its login is about to reach its longest lifetime. */
  | { readonly type: 'session.expires_soon'; readonly ref: SessionRef }
  | { readonly type: 'session.ended'; readonly ref: SessionRef; readonly reason: EndReason }
  /** A session or connection was refused: the limit of the node (`cap`), of the address or of the user is reached. */
  | { readonly type: 'session.refused'; readonly reason: 'cap' | 'address' | 'user' }
  /** Somebody presented the id of a connection that is another principal's. */
  | { readonly type: 'session.not_owned'; readonly ref: SessionRef }
  /**
   * A request was refused because of its access token. `fault` says what is wrong and what was expected; it contains no
   * secret.
   */
  | { readonly type: 'token.refused'; readonly reason: TokenFaultReason; readonly fault: string }
  /** Whoever asked had started too many within a minute. */
  | { readonly type: 'login.refused'; readonly reason: 'rate_limited' }
  | {
      readonly type: 'login.started';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly flow: LoginFlow;
      readonly check: LoginCheck;
    }
  | {
      readonly type: 'login.failed';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly failure: LoginFailure;
    }
  | {
      /** `account.moved`: from a pending handle to the session handle it became. */
      readonly type: 'account.authenticated' | 'account.refreshed' | 'account.moved';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly generation: number;
      readonly refreshAtMs: number | undefined;
    }
  | {
      /** It is tried again at `refreshAtMs`. */
      readonly type: 'account.refresh_failed';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly generation: number;
      readonly failureReason: AccountFailureReason;
      readonly refreshAtMs: number | undefined;
    }
  | {
      readonly type: 'account.reauthentication_required';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly failureReason: AccountFailureReason;
    }
  | {
      /** Its access token runs out at `expiresAtMs`, and cannot be renewed. */
      readonly type: 'account.expires_soon';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly generation: number;
      readonly expiresAtMs: number;
    }
  | {
      /** Good tokens came with something that was left out of account. */
      readonly type: 'account.odd_answer';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly nonconformance: GrantNonconformance;
    }
  | { readonly type: 'account.removed'; readonly ref: SessionRef; readonly provider: string }
  | {
      readonly type: 'account.revoked';
      readonly ref: SessionRef;
      readonly provider: string;
      readonly revocation: Revocation;
    };

/**
 * Called with every event, in order, in the tick in which it happens. Errors and rejections of the listener are logged.
 */
export type SessionListener = (event: SessionEvent) => void;

/** Tells listeners what happens. */
export class SessionEvents {
  readonly #listeners = new Set<SessionListener>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** @returns a function that ends the subscription. */
  subscribe(listener: SessionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: SessionEvent): void {
    for (const listener of this.#listeners) {
      try {
        const answer: unknown = listener(event);
        if (isThenable(answer)) answer.then(undefined, this.#onError);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
