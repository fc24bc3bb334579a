import type { SealedRecord } from '../vault/vault.js';
import type { SessionRef } from './ids.js';

/**
 * - `connection`: the protocol session of a 2025 client, or of the client over stdio. It outlives its logins.
 * - `handle`: a 2026 session. It ends with its login.
 * - `pending-handle`: a pending 2026 login. It serves only `login`, `logout` and `session_status`.
 * - `owner-session`: the session of one principal, for all of its connections. It outlives its logins.
 * - `owned-connection`: the protocol session of a 2025 client in bearer access. It has no accounts of its own: those of
 *   its owner's session apply.
 */
export type SessionKind = 'connection' | 'handle' | 'pending-handle' | 'owner-session' | 'owned-connection';

/** Whether a handle names the session. Such a session ends with its login. */
export function hasHandle({ kind }: Pick<SessionRecord, 'kind'>): boolean {
  return kind === 'handle' || kind === 'pending-handle';
}

/**
 * Why a session was signed out.
 *
 * - `account_cap`: its account has logged in to too many newer sessions.
 * - `other_user`: another user has logged in to it, whom the next event `account.authenticated` names.
 * - `provider_logout`: the user has logged out at the provider (OpenID Connect Back-Channel Logout).
 */
export type SignOutReason =
  | 'logout'
  | 'idle'
  | 'absolute'
  | 'disconnect'
  | 'operator'
  | 'account_cap'
  | 'other_user'
  | 'provider_logout';

/** Why a session ended. */
export type EndReason =
  | SignOutReason
  | 'deleted'
  | 'connection_expired'
  | 'cap'
  | 'shutdown'
  | 'replaced'
  | 'login_expired';

/** Why an account needs a new login, or cannot be refreshed for now. */
export type AccountFailureReason =
  | 'grant_revoked'
  | 'no_refresh_token'
  | 'provider_unavailable'
  | 'provider_refused'
  | 'identity_changed'
  | 'refresh_lost'
  | 'tokens_unreadable'
  /** An API rejected the access token, and a renewed one, too. */
  | 'token_rejected'
  /** The user has logged out at the provider. */
  | 'provider_logout';

/**
 * A part of a token response that does not conform, although its tokens are valid.
 *
 * - `id_token_invalid`: the ID token is invalid and ignored.
 * - `issuer_changed`: the ID token is from another issuer, so the tokens may belong to another user.
 * - `scope_widened`: the response has scopes that were not requested. They are ignored.
 * - `api_origin_refused`: the field of `apiOriginField` is not the origin of an allowed domain. It is ignored.
 * - `field_ignored`: a field of `tokenFields` or `callbackFields` is no text, or is too long.
 */
export type GrantNonconformance =
  | 'id_token_invalid'
  | 'issuer_changed'
  | 'scope_widened'
  | 'api_origin_refused'
  | 'field_ignored';

/** What an API has demanded of the login besides what it has. The next login requests it. */
interface StepUp {
  /** RFC 6750 section 3.1. At most 20. */
  readonly scopes?: readonly string[] | undefined;
  /** JSON of the `claims` parameter (OpenID Connect Core section 5.5), at most 4,096 bytes. */
  readonly claims?: string | undefined;
}

/** Claims that an API had demanded, and a login requested. */
interface AnsweredClaims {
  /** A digest of the claims without their times. */
  readonly kind: string;
  /** When the user logged in. */
  readonly atMs: number;
}

/** One provider login inside a session. */
export interface AccountRecord {
  readonly provider: string;
  readonly state: 'authenticated' | 'reauthentication_required';
  readonly failureReason?: AccountFailureReason | undefined;
  /** The number of the token set within the session. Not reused, also after a logout. */
  readonly generation: number;
  /** A random number for each login. Refreshes and moves to another session keep it. */
  readonly grantId: number;
  /** The refresh that sends the refresh token of this generation. */
  readonly claim?: RefreshClaimRecord | undefined;
  readonly subject: string;
  readonly name?: string | undefined;
  readonly scopes: readonly string[];
  /** The scopes that the login requested and the provider did not grant. Default: none. */
  readonly refusedScopes?: readonly string[] | undefined;
  /** Absent once the tokens have been wiped. */
  readonly sealed?: SealedRecord | undefined;
  readonly hasRefreshToken: boolean;
  /** When the access token expires, on the clock of this process. `undefined`: when an API rejects it. */
  readonly expiresAtMs?: number | undefined;
  /** When to refresh the access token. */
  readonly refreshAtMs?: number | undefined;
  readonly lifetimeMs?: number | undefined;
  /** When the refresh token expires, as announced. `undefined`: not announced. */
  readonly refreshExpiresAtMs?: number | undefined;
  /** The number of failed refreshes in a row. */
  readonly failures?: number | undefined;
  /** The fields of `tokenFields` and `callbackFields`, at most 20 of 1,024 characters each. */
  readonly fields?: Readonly<Record<string, string>> | undefined;
  /** The origin of this user's API, from `apiOriginField`. */
  readonly apiOrigin?: string | undefined;
  /** The user's `sub` by OpenID Connect, at most 1,024 characters. `subject` may be another field. */
  readonly openIdSubject?: string | undefined;
  /** The provider's session (`sid` of the ID token), at most 256 characters. */
  readonly providerSession?: string | undefined;
  /** Ends with the next login at the provider, also if the provider or the user refuses it. */
  readonly stepUp?: StepUp | undefined;
  /**
   * How a login over this one ended. The next one requests no more than the configured scopes, and, unless the user has
   * declined, leaves to the provider what it asks for. Ends with the next login at the provider.
   */
  readonly refusal?: 'declined' | 'failed' | undefined;
  /**
   * The claims that an API had demanded of the login. Absent once an API has accepted its token: the same demand leads
   * to another login from then on.
   */
  readonly answeredClaims?: AnsweredClaims | undefined;
  /** The token set was refreshed because an API had rejected the one before it. */
  readonly tokenRejected?: true | undefined;
  /** The coming end of a login without a refresh token was announced. */
  readonly isExpiryAnnounced?: true | undefined;
}

/** A refresh that sends, or has sent, the refresh token of an account. */
interface RefreshClaimRecord {
  /** A random number for each refresh. */
  readonly id: number;
  /** When another refresh may send the refresh token again. */
  readonly untilMs: number;
}

/** The state of a session that tools have set. */
export interface SealedState {
  /** Counts the changes. */
  readonly version: number;
  readonly sealed: SealedRecord;
}

/** The stored data of a session. Immutable: a change is a new record with another version. */
export interface SessionRecord {
  readonly ref: SessionRef;
  /** A random number for each change, as an ETag. Shows whether a change whose answer was lost has taken place. */
  readonly version: number;
  readonly kind: SessionKind;
  /** A digest of the principal; in open access the same for all sessions. */
  readonly owner: string;
  /** The address, user or last account that the session counts for while it has no login. `''`: none. */
  readonly quotaKey: string;
  readonly createdAtMs: number;
  /** The time of the client's last request other than a ping. */
  readonly lastRequestAtMs: number;
  /** When a lifetime, a refresh or a notice is due at the earliest. `Infinity`: never. */
  readonly dueAtMs: number;
  /** When the current login began; absent without a login. */
  readonly signedInAtMs?: number | undefined;
  /** Increases with every sign-out, which makes older snapshots of the session void. */
  readonly epoch: number;
  /** The highest generation so far. */
  readonly generation: number;
  readonly signedOut?: SignOutReason | undefined;
  readonly accounts: Readonly<Record<string, AccountRecord>>;
  /** The subjects at providers that the session was logged out of since the last sign-out. Default: none. */
  readonly formerSubjects?: Readonly<Record<string, string>> | undefined;
  /** Present only while a user is logged in. */
  readonly state?: SealedState | undefined;
  /** Of an owned connection: the session whose accounts apply. */
  readonly session?: SessionRef | undefined;
  /** Of an owner's session: its user as a digest, the same for all clients. */
  readonly subjectKey?: string | undefined;
  /** The coming end of the login was announced. */
  readonly isExpiryAnnounced?: true | undefined;
}

/** A session between two sign-outs: void once the session is signed out. */
export interface SessionSnapshot {
  readonly ref: SessionRef;
  readonly epoch: number;
}

export function snapshotOf({ ref, epoch }: SessionSnapshot): SessionSnapshot {
  return { ref, epoch };
}

/** A new record, without logins. */
export function blankRecord(ref: SessionRef, kind: SessionKind, owner: string, nowMs: number): SessionRecord {
  return {
    ref,
    version: 1,
    kind,
    owner,
    quotaKey: '',
    createdAtMs: nowMs,
    lastRequestAtMs: nowMs,
    dueAtMs: Number.POSITIVE_INFINITY,
    epoch: 0,
    generation: 0,
    accounts: {},
  };
}

/** The changes of a record that sign its users out. */
export function signOutOf(record: SessionRecord): Partial<SessionRecord> {
  return {
    epoch: record.epoch + 1,
    accounts: {},
    formerSubjects: undefined,
    state: undefined,
    signedInAtMs: undefined,
    isExpiryAnnounced: undefined,
  };
}

/**
 * Whether a login is that of another person. A session belongs to one person: one subject at each provider until the
 * next sign-out, also after a logout from that provider.
 */
export function isOtherUser(
  { accounts, formerSubjects }: SessionRecord,
  provider: string,
  subject: string,
): boolean {
  const known = accounts[provider]?.subject ?? formerSubjects?.[provider];
  return known !== undefined && known !== subject;
}

/** Whether the session has a login, including one that has to be renewed. */
export function isSignedIn(record: SessionRecord): boolean {
  for (const _provider in record.accounts) return true;
  return false;
}

/** A key for the user of an account: provider and subject. */
export function accountKeyOf({ provider, subject }: Pick<AccountRecord, 'provider' | 'subject'>): string {
  return JSON.stringify([provider, subject]);
}

/** The key of the account that logged in last; `undefined` without a login. */
export function lastAccountOf({ accounts }: SessionRecord): string | undefined {
  const [last] = Object.values(accounts).sort((a, b) => b.generation - a.generation);
  return last && accountKeyOf(last);
}
