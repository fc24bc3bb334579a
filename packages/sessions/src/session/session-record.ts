import type { SealedRecord } from '../vault/vault.js';
import type { SessionRef } from './ids.js';

/**
 * - `connection`: a 2025 client's protocol session, or that of the client over stdio; it outlives its logins.
 * - `handle`: a 2026 session; it ends with its login.
 * - `pending-handle`: a 2026 login on its way; it serves only `login` and `session_status`.
 * - `owner-session`: what belongs to one principal, however its clients connect; it outlives its logins.
 * - `owned-connection`: a 2025 client's protocol session in bearer access. Nobody logs in to it: its accounts
 *   are those of its owner's session.
 */
export type SessionKind = 'connection' | 'handle' | 'pending-handle' | 'owner-session' | 'owned-connection';

/** Whether a session is named by a handle, and ends with its login. */
export function hasHandle({ kind }: Pick<SessionRecord, 'kind'>): boolean {
  return kind === 'handle' || kind === 'pending-handle';
}

/** Why a session was signed out; `account_cap`: its account has logged in to too many others since. */
export type SignOutReason = 'logout' | 'idle' | 'absolute' | 'disconnect' | 'operator' | 'account_cap';

/** Why a session ended: its id is unknown from then on. */
export type EndReason =
  | SignOutReason
  | 'deleted'
  | 'connection_expired'
  | 'cap'
  | 'shutdown'
  | 'replaced'
  | 'login_expired';

/** Why an account needs a new login, or cannot be refreshed for now. Never contains secrets. */
export type AccountFailureReason =
  | 'grant_revoked'
  | 'no_refresh_token'
  | 'provider_unavailable'
  | 'provider_refused'
  | 'identity_changed'
  | 'refresh_lost'
  | 'tokens_unreadable';

/**
 * What can be wrong with an answer that brings good tokens.
 *
 * - `id_token_invalid`: it came with an ID token that says nothing of use.
 * - `issuer_changed`: its ID token is from another issuer, so the tokens may be somebody else's.
 * - `scope_widened`: it claims scopes that the user was never asked for; they are not counted.
 */
export type GrantNonconformance = 'id_token_invalid' | 'issuer_changed' | 'scope_widened';

/** One provider login inside a session. */
export interface AccountRecord {
  readonly provider: string;
  readonly state: 'authenticated' | 'reauthentication_required';
  readonly failureReason?: AccountFailureReason | undefined;
  /** Counts the token sets of this session; never given twice, not even after a logout. */
  readonly generation: number;
  readonly subject: string;
  readonly name?: string | undefined;
  readonly scopes: readonly string[];
  /** Absent once the tokens have been wiped. */
  readonly sealed?: SealedRecord | undefined;
  readonly hasRefreshToken: boolean;
  /** When the access token dies, on the clock of this process. `undefined`: not before a 401. */
  readonly expiresAtMs?: number | undefined;
  /** When it is to be refreshed. */
  readonly refreshAtMs?: number | undefined;
  readonly lifetimeMs?: number | undefined;
  /** How often in a row it could not be refreshed. */
  readonly failures?: number | undefined;
}

/** The state of a session that tools have set. */
export interface SealedState {
  /** Counts the changes. */
  readonly version: number;
  readonly sealed: SealedRecord;
}

/** What the store keeps of a session. Immutable: a change is a new record with the next version. */
export interface SessionRecord {
  readonly ref: SessionRef;
  /** Counts the changes; the store replaces a record only by its direct successor. */
  readonly version: number;
  /** Random, one for each of the latest changes: tells whether one whose answer was lost has taken place. */
  readonly stamps: readonly string[];
  readonly kind: SessionKind;
  /** Whom the session belongs to: a digest of the principal; in open access whoever holds its id. */
  readonly owner: string;
  readonly createdAtMs: number;
  /** When its client last asked for anything but a ping. */
  readonly lastRequestAtMs: number;
  /** Since when somebody has been logged in without a break. */
  readonly signedInAtMs?: number | undefined;
  /** Counts the sign-outs; what was handed out before the last one is void. */
  readonly epoch: number;
  /** The highest generation given so far. */
  readonly generation: number;
  readonly signedOut?: SignOutReason | undefined;
  readonly accounts: Readonly<Record<string, AccountRecord>>;
  /** Present only while a user is logged in. */
  readonly state?: SealedState | undefined;
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
    stamps: [],
    kind,
    owner,
    createdAtMs: nowMs,
    lastRequestAtMs: nowMs,
    epoch: 0,
    generation: 0,
    accounts: {},
  };
}

/** Whether anybody is logged in here, be it with a login that has to be renewed. */
export function isSignedIn(record: SessionRecord): boolean {
  for (const _provider in record.accounts) return true;
  return false;
}

/** The user of a provider that an account stands for, as one text. */
export function accountKeyOf({ provider, subject }: Pick<AccountRecord, 'provider' | 'subject'>): string {
  return JSON.stringify([provider, subject]);
}

/** Who logged in last; `undefined` when nobody is logged in. */
export function lastAccountOf({ accounts }: SessionRecord): string | undefined {
  const [last] = Object.values(accounts).sort((a, b) => b.generation - a.generation);
  return last && accountKeyOf(last);
}
