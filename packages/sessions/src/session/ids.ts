import type { KeyHierarchy } from '../vault/key-hierarchy.js';
import { type RandomSource, randomToken } from '../vault/random.js';

declare const sessionIdBrand: unique symbol;
declare const sessionRefBrand: unique symbol;

/** What a client shows to be let in: the `Mcp-Session-Id` of a 2025 connection, or a 2026 handle. A secret. */
export type SessionId = string & { readonly [sessionIdBrand]: true };

/** The name of a session inside this server: an HMAC of its id or owner, from which neither can be found again. */
export type SessionRef = string & { readonly [sessionRefBrand]: true };

/** Where an id is valid. An id of one kind opens nothing of the other. */
export type IdKind = 'connection' | 'handle';

/** Whom a bearer token says is calling: somebody at an authorization server, through one of its clients. */
export interface OwnerIdentity {
  readonly issuer: string;
  readonly subject: string;
  readonly clientId: string;
  /** Distinguishes sessions of the same user and client. Absent: they share one session. */
  readonly session?: string | undefined;
}

/** An owner as the store may know it: digests, from which nobody can be found again. */
export interface Owner {
  /** The key of issuer, subject, client id and `session`. */
  readonly key: string;
  /** The key of issuer, subject and client id, the same for all sessions of the user and client. */
  readonly clientKey: string;
  /** Of issuer and subject: the same whatever the client. */
  readonly subjectKey: string;
}

const PUBLIC_ID_BYTES = 16;
const ID_PATTERN = /^[A-Za-z0-9_-]{43}$/;

/** A new id: 256 random bits in base64url. */
export function mintSessionId(random: RandomSource): SessionId {
  // The brand is made here and in parseSessionId, and nowhere else.
  return randomToken(random) as SessionId;
}

/** Reads an id from outside; `undefined` when it cannot be one of ours. */
export function parseSessionId(value: string): SessionId | undefined {
  return ID_PATTERN.test(value) ? (value as SessionId) : undefined;
}

/** The reference that an id stands for. */
export function sessionRefOf(keys: KeyHierarchy, kind: IdKind, id: SessionId): SessionRef {
  return keys.mac('id-lookup', kind, id).toString('base64url') as SessionRef;
}

/** The owner that a principal is. */
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
