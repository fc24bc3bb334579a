import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, randomToken } from '../vault/random.js';

declare const sessionIdBrand: unique symbol;
declare const sessionRefBrand: unique symbol;

/** The secret that gives access to a session: the `Mcp-Session-Id` of a 2025 connection, or a 2026 handle. */
export type SessionId = string & { readonly [sessionIdBrand]: true };

/** The internal reference of a session: an HMAC of its id or owner, which does not reveal them. */
export type SessionRef = string & { readonly [sessionRefBrand]: true };

/** The kind of an id. An id of one kind is not valid as the other. */
export type IdKind = 'connection' | 'handle';

/** The caller that a bearer token names: a user of an authorization server, and the client. */
export interface OwnerIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly clientId: string;
  /** Distinguishes sessions of the same user and client. Absent: they share one session. */
  readonly session?: string | undefined;
}

/** An owner as digests, which do not reveal the user. */
export interface Owner {
  /** The key of issuer, subject, client id and `session`. */
  readonly key: string;
  /** The key of issuer, subject and client id, the same for all sessions of the user and client. */
  readonly clientKey: string;
  /** The key of issuer and subject, the same for all clients of the user. */
  readonly subjectKey: string;
}

const PUBLIC_ID_BYTES = 16;
const ID_PATTERN = /^[A-Za-z0-9_-]{43}$/;

/** A new id: 256 random bits in base64url. */
export function mintSessionId(random: RandomSource): SessionId {
  // Only this function and parseSessionId give the brand.
  return randomToken(random) as SessionId;
}

/** Parses an id of a request; `undefined` if it does not have the form of an id. */
export function parseSessionId(value: string): SessionId | undefined {
  return ID_PATTERN.test(value) ? (value as SessionId) : undefined;
}

/** The reference of the session that an id names. */
export function sessionRefOf(keys: KeyHierarchy, kind: IdKind, id: SessionId): SessionRef {
  return keys.mac('id-lookup', kind, id).toString('base64url') as SessionRef;
}

/** The owner of sessions in open access, where requests name no user. */
export const ANONYMOUS_OWNER = 'anonymous';

/** The owner of a principal's sessions. */
export function ownerOf(keys: KeyHierarchy, { issuer, subject, clientId, session }: OwnerIdentity): Owner {
  const clientKey = keys.mac('id-lookup', 'owner', issuer, subject, clientId).toString('base64url');
  return {
    key:
      session === undefined
        ? clientKey
        : keys.mac('id-lookup', 'owner-part', clientKey, session).toString('base64url'),
    clientKey,
    subjectKey: keys.mac('id-lookup', 'subject', issuer, subject).toString('base64url'),
  };
}

/** The reference of an owner's session. */
export function ownerSessionRefOf(keys: KeyHierarchy, { key }: Owner): SessionRef {
  return keys.mac('id-lookup', 'owner-session', key).toString('base64url') as SessionRef;
}

/**
 * The id of a session between two sign-outs for tools, events and operators: 128 bits in base64url. It identifies the
 * session and gives no access to it, so tools may store and log it.
 */
export function publicIdOf(
  keys: KeyHierarchy,
  { ref, epoch }: { readonly ref: SessionRef; readonly epoch: number },
): string {
  return keys.mac('public-id', ref, epoch).subarray(0, PUBLIC_ID_BYTES).toString('base64url');
}

/** The id of a session in the audit log: 12 hex digits. It does not change with a sign-out. */
export function logIdOf(keys: KeyHierarchy, ref: SessionRef): string {
  return keys.mac('log-id', ref).toString('hex').slice(0, 12);
}
