import { isThenable } from '../time/promises.js';
import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { logIdOf, publicIdOf } from './ids.js';
import { FAILURE_TEXTS, type ProviderFailureReason } from './provider-failure-texts.js';
import { type ProviderFailure, settingFor } from './provider-failures.js';
import type {
  AccountFailureReason,
  EndReason,
  GrantNonconformance,
  SessionKind,
  SessionSnapshot,
  SignOutReason,
} from './session-record.js';

/**
 * What came of a revocation (RFC 7009). `deferred`: the tokens are wiped, and a login keeps the grant in use, or may
 * do so, because the store did not answer. The last one to end revokes it.
 */
export type Revocation = 'confirmed' | 'unconfirmed' | 'unsupported' | 'deferred';

/** How a login attempt failed. */
export type LoginFailure =
  | 'declined'
  | 'expired'
  | 'browser_mismatch'
  /** One user started the login and another one finished it. */
  | 'identity_mismatch'
  | 'provider_unavailable'
  | 'provider_refused'
  /** An unexpected error of this server, or of what its author has given it. The log has its class. */
  | 'internal_error'
  | 'wrong_code'
  | 'superseded'
  /** The client has asked for another login in its place. */
  | 'canceled'
  | 'evicted'
  | 'signed_out';

/** Why the server refused a logout token (OpenID Connect Back-Channel Logout section 2.6). */
export type LogoutTokenFault =
  | 'malformed'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'claims'
  | 'expired'
  | 'replayed';

/** How a user logs in: through a link to this server, or by typing a code into the provider's page (RFC 8628). */
export type LoginFlow = 'link' | 'device';

/**
 * How the server checks that one user starts and finishes a login (MCP client/elicitation, Phishing).
 *
 * - `same-user`: the provider also issued the client's token, and its ID token names the same user.
 * - `sign-in`: the browser first signs in at the authorization server that issued the client's token.
 * - `code`: the browser shows a code, which the session has to present.
 * - `none`: no check. Client and browser are on this machine, which no remote browser can reach.
 * - `unchecked`: no check is possible in the device flow. The operator has to turn it on.
 */
export type LoginCheck = 'same-user' | 'sign-in' | 'code' | 'none' | 'unchecked';

/** The reasons for refusing an access token, in the log and in events. docs/access-tokens.md explains each. */
export type TokenFaultReason =
  | 'malformed'
  // Not a JWT, and introspection is not configured.
  | 'opaque'
  | 'algorithm'
  | 'unknown_key'
  | 'signature'
  | 'issuer'
  | 'audience'
  | 'client'
  | 'subject'
  | 'expired'
  | 'not_yet_valid'
  // The introspection response has `active: false` (RFC 7662 section 2.2).
  | 'not_active'
  | 'scope'
  | 'id_token'
  | 'refresh_token'
  | 'token_type'
  // Bound to a key (`cnf`, RFC 7800) by DPoP or mutual TLS.
  | 'key_bound';

/** The OAuth error code of a rejected refresh (RFC 6749 section 5.2). */
export type RefreshError =
  | 'invalid_request'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'invalid_scope';

/** How a session appears in events. The values are no secrets: neither gives access to anything. */
export interface EventSession {
  /** The session's `id`, as tools see it. In `session.signed_out`, the id that ends with this event. */
  readonly session: string;
  /** The session's id in the audit log. It does not change with a sign-out. */
  readonly logId: string;
}

/** How an account appears in events. */
export interface EventAccount {
  /** The name of the provider. */
  readonly provider: string;
  /** The user, as the provider names it: `sub`, or the field of `identityFields`. */
  readonly subject: string;
}

/** An event of a session, a login or an account. Contains no tokens, session ids of the protocol or handles. */
export type SessionEvent =
  | (EventSession & { readonly type: 'session.started'; readonly kind: SessionKind })
  | (EventSession & { readonly type: 'session.signed_out'; readonly reason: SignOutReason })
  /** The login reaches its maximum lifetime soon. */
  | (EventSession & { readonly type: 'session.expires_soon' })
  | (EventSession & { readonly type: 'session.ended'; readonly reason: EndReason })
  /**
   * The server refused a session or a connection: the limit of the node (`cap`), the address or the user is reached.
   */
  | { readonly type: 'session.refused'; readonly reason: 'cap' | 'address' | 'user' }
  /** A request named a connection that belongs to another principal. */
  | (EventSession & { readonly type: 'session.not_owned' })
  /** The server refused an access token. `fault` says what is wrong and what was expected; it contains no secret. */
  | { readonly type: 'token.refused'; readonly reason: TokenFaultReason; readonly fault: string }
  /** The server refused a login: the client, or its address, started too many within a minute. */
  | { readonly type: 'login.refused'; readonly reason: 'rate_limited' }
  | (EventSession & {
      readonly type: 'login.started';
      readonly provider: string;
      readonly flow: LoginFlow;
      readonly check: LoginCheck;
    })
  | (EventSession & {
      readonly type: 'login.failed';
      readonly provider: string;
      readonly failure: LoginFailure;
      /** Absent unless the provider failed. */
      readonly reason?: ProviderFailureReason | undefined;
    })
  /** A request to a provider failed. An event of the session follows if a login or an account depends on it. */
  | (ProviderFailure & {
      readonly type: 'provider.failed';
      /** The options or environment variables that can end the failure; absent if none can. */
      readonly setting?: string | undefined;
      /** For the operator: what to compare and to change. */
      readonly advice: string;
    })
  /** The server refused a logout token of a provider. */
  | { readonly type: 'logout.refused'; readonly provider: string; readonly reason: LogoutTokenFault }
  | (EventSession &
      EventAccount & {
        /** `account.moved`: the login of a pending handle is complete, and the account has a session handle now. */
        readonly type: 'account.authenticated' | 'account.refreshed' | 'account.moved';
        readonly generation: number;
        readonly refreshAtMs: number | undefined;
      })
  | (EventSession &
      EventAccount & {
        /** The next try is at `refreshAtMs`. */
        readonly type: 'account.refresh_failed';
        readonly generation: number;
        readonly failureReason: AccountFailureReason;
        /** Why the provider rejected the refresh; absent without one of these codes in its answer. */
        readonly oauthError?: RefreshError | undefined;
        /** Absent unless the provider failed. */
        readonly reason?: ProviderFailureReason | undefined;
        readonly refreshAtMs: number | undefined;
      })
  | (EventSession &
      EventAccount & {
        readonly type: 'account.reauthentication_required';
        readonly failureReason: AccountFailureReason;
        /** Absent unless the provider failed. */
        readonly reason?: ProviderFailureReason | undefined;
      })
  | (EventSession &
      EventAccount & {
        /** The access token expires at `expiresAtMs`, and there is no refresh token. */
        readonly type: 'account.expires_soon';
        readonly generation: number;
        readonly expiresAtMs: number;
      })
  | (EventSession &
      EventAccount & {
        /** The server accepted the tokens of an answer and ignored a part that does not conform. */
        readonly type: 'account.nonconforming_answer';
        readonly nonconformance: GrantNonconformance;
      })
  | (EventSession & EventAccount & { readonly type: 'account.removed' })
  | (EventSession &
      Pick<EventAccount, 'provider'> & {
        readonly type: 'account.revoked';
        /** Absent for the tokens of a login that ended before the user was known. */
        readonly subject?: string | undefined;
        readonly revocation: Revocation;
      });

/** Called with every event, in order, in the tick in which it happens. The server logs its errors and rejections. */
export type SessionListener = (event: SessionEvent) => void;

/** An event with the internal reference of its session in place of the ids. */
export type InternalEvent = Internal<SessionEvent>;
type Internal<Event> = Event extends EventSession ? SessionSnapshot & Omit<Event, keyof EventSession> : Event;
export type InternalListener = (event: InternalEvent) => void;

/** The event of a provider's failure. */
export function providerFailed(
  failure: ProviderFailure,
): Extract<InternalEvent, { type: 'provider.failed' }> {
  const setting = settingFor(failure);
  const { advice } = FAILURE_TEXTS[failure.reason];
  return { type: 'provider.failed', ...failure, ...(setting !== undefined && { setting }), advice };
}

/** Distributes events to listeners. */
export class SessionEvents {
  readonly #listeners = new Set<InternalListener>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  /** @returns a function that ends the subscription */
  subscribe(listener: InternalListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  emit(event: InternalEvent): void {
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

/** Gives a listener events with the ids that may leave the library, in place of the internal reference. */
export function publicListener(keys: KeyHierarchy, listener: SessionListener): InternalListener {
  return (event) => {
    if (!('ref' in event)) return listener(event);
    const { ref, epoch, ...fields } = event;
    const session = { session: publicIdOf(keys, { ref, epoch }), logId: logIdOf(keys, ref) };
    // Of a union, TypeScript keeps only the fields that all members have.
    return listener({ ...fields, ...session } as SessionEvent);
  };
}
