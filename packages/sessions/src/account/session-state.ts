import pLimit, { type LimitFunction } from 'p-limit';
import { z } from 'zod';
import { SessionError, signedOut } from '../errors.js';
import { MemoryQuota, type MemoryQuotaLimits, type QuotaShare } from '../limits/memory-quota.js';
import { parseOptions } from '../parse-options.js';
import type { ChangeElsewhere } from '../session/followed-session.js';
import type { SessionRef } from '../session/ids.js';
import type { InternalEvent } from '../session/session-events.js';
import {
  isSignedIn,
  lastAccountOf,
  type SealedState,
  type SessionRecord,
  type SessionSnapshot,
} from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import { secretBytes, wipe } from '../vault/memory.js';
import type { SealContext, Vault } from '../vault/vault.js';

const KIB = 1024;
/** One user may use a quarter of the shared bytes. */
export const STATE_LIMITS: MemoryQuotaLimits = {
  guaranteedBytes: 0,
  maxBytes: 64 * KIB,
  sharedBytes: 64 * KIB * KIB,
};

/** A value with its version. Each `set` increases the version; 0 means that no value was set. */
export interface VersionedState {
  readonly value: unknown;
  readonly version: number;
}

/** Data of a tool for the user of one session. The data ends with the login. */
export interface SessionState {
  /**
   * The latest value, as JSON reads it back; `undefined` with version 0 if none was set.
   * @throws SessionError `login_required` without a login, `signed_out`
   */
  get(): Promise<VersionedState>;
  /**
   * Replaces the value.
   * @param value at most 64 KiB as JSON
   * @param options `ifVersion`: replaces only if this is the current version, so that concurrent calls lose nothing
   * @returns the new version; `undefined` if the current version is another one than `ifVersion`
   * @throws SessionError `configuration` if an option is unknown or invalid, `login_required` without a login,
   * `signed_out`, `limit_reached` if the server or the user keeps too much state; TypeError if JSON cannot represent
   * the value, RangeError if it is too large
   */
  set(value: unknown, options?: { readonly ifVersion?: number }): Promise<number | undefined>;
}

export interface SessionStatesOptions {
  readonly registry: SessionRegistry;
  /** Seals for the purpose of session state only. */
  readonly vault: Vault;
}

/** An ignored option would replace the value without the comparison. */
const setSchema = z.strictObject({ ifVersion: z.number().optional() });

/** What is counted for the state of a session. */
interface Kept {
  /** The user that the bytes count for. */
  quotaKey: string | undefined;
  share: QuotaShare;
  readonly inTurn: LimitFunction;
  /** Ends the hold of the session. */
  readonly drop: () => void;
  bytes: number;
}

/** The state of sessions: sealed like tokens, and wiped at the sign-out. */
export class SessionStates {
  readonly #registry: SessionRegistry;
  readonly #vault: Vault;
  readonly #quota = new MemoryQuota(STATE_LIMITS);
  readonly #kept = new Map<SessionRef, Kept>();

  constructor({ registry, vault }: SessionStatesOptions) {
    this.#registry = registry;
    this.#vault = vault;
  }

  /** The bytes of all states of this node. */
  get bytes(): number {
    return this.#quota.sharedBytes;
  }

  /** Follows an event, or a change by another node. Call it for each one. */
  handleEvent(event: InternalEvent | ChangeElsewhere): void {
    switch (event.type) {
      case 'session.signed_out':
      case 'session.ended':
        this.#release(event.ref);
        this.#forget(event.ref);
        return;
      case 'account.removed':
        this.#release(event.ref);
        return;
      case 'account.reauthentication_required':
        if (event.failureReason === 'provider_logout') this.#release(event.ref);
        return;
      default:
    }
  }

  #forget(ref: SessionRef): void {
    this.#kept.get(ref)?.drop();
    this.#kept.delete(ref);
  }

  /** Counts no bytes for a session whose state is wiped. */
  #release(ref: SessionRef): void {
    const kept = this.#kept.get(ref);
    if (!kept) return;
    kept.bytes = 0;
    kept.share.release();
  }

  async get(session: SessionSnapshot): Promise<VersionedState> {
    let unreadable: SessionRecord | undefined;
    for (;;) {
      const record = await this.#registry.get(session.ref);
      assertLoggedIn(record, session);
      if (!record.state) return { value: undefined, version: 0 };
      try {
        return this.#open(record, record.state);
      } catch (error) {
        // It was wiped since the read, which the next read shows, or it is damaged.
        if (unreadable?.version === record.version) throw error;
        unreadable = record;
      }
    }
  }

  #open(record: SessionRecord, { version, sealed }: SealedState): VersionedState {
    const bytes = this.#vault.open(sealed, contextOf(record, version));
    try {
      return { value: JSON.parse(bytes.toString()), version };
    } finally {
      wipe(bytes);
    }
  }

  async set(
    session: SessionSnapshot,
    value: unknown,
    options: { readonly ifVersion?: number } = {},
  ): Promise<number | undefined> {
    const { ifVersion } = parseOptions(setSchema, options, 'The options of `state.set` are invalid');
    const text = jsonOf(value);
    const record = await this.#registry.get(session.ref);
    assertLoggedIn(record, session);
    const kept = this.#keptOf(record);
    return kept.inTurn(async () => {
      // It was released while this call waited for its turn.
      if (this.#kept.get(session.ref) !== kept) return this.set(session, value, options);
      if (kept.bytes === 0) this.#countFor(kept, lastAccountOf(record));
      const bytes = Buffer.byteLength(text);
      if (!kept.share.resize(Math.max(bytes, kept.bytes))) throw noRoom();
      let version: number | undefined;
      try {
        version = await this.#replace(session, text, ifVersion);
        return version;
      } finally {
        const isKept = this.#kept.get(session.ref) === kept;
        // After a sign-out there is nothing to count.
        if (isKept && version !== undefined) kept.bytes = bytes;
        kept.share.resize(kept.bytes);
        if (isKept && kept.bytes === 0) this.#forget(session.ref);
      }
    });
  }

  /** Counts for the user who is logged in now. Bytes that are counted already stay where they are. */
  #countFor(kept: Kept, quotaKey: string | undefined): void {
    if (kept.quotaKey === quotaKey) return;
    kept.share.release();
    kept.share = this.#quota.open(quotaKey);
    kept.quotaKey = quotaKey;
  }

  #keptOf(record: SessionRecord): Kept {
    const known = this.#kept.get(record.ref);
    if (known) return known;
    const quotaKey = lastAccountOf(record);
    const kept: Kept = {
      quotaKey,
      share: this.#quota.open(quotaKey),
      // One at a time, so that the bytes are counted in the order of the changes.
      inTurn: pLimit(1),
      drop: this.#registry.hold(record.ref),
      bytes: 0,
    };
    this.#kept.set(record.ref, kept);
    return kept;
  }

  async #replace(
    session: SessionSnapshot,
    text: string,
    ifVersion: number | undefined,
  ): Promise<number | undefined> {
    let next: SealedState | undefined;
    const discard = () => next && this.#vault.wipe(next.sealed);
    const changed = await this.#registry
      .update(session.ref, (record) => {
        discard();
        assertLoggedIn(record, session);
        const version = record.state?.version ?? 0;
        if (ifVersion !== undefined && ifVersion !== version) return undefined;
        const sealed = this.#vault.seal(secretBytes(text), contextOf(record, version + 1));
        next = { version: version + 1, sealed };
        return { state: next };
      })
      .catch((error: unknown) => {
        discard();
        throw error;
      });
    if (changed?.before.state) this.#vault.wipe(changed.before.state.sealed);
    if (changed) return changed.after.state?.version;
    discard();
    // Without a record, there was nothing to compare the version with.
    if (!(await this.#registry.has(session.ref))) throw signedOut();
    return undefined;
  }
}

function assertLoggedIn(
  record: SessionRecord | undefined,
  { epoch }: SessionSnapshot,
): asserts record is SessionRecord {
  if (record?.epoch !== epoch) throw signedOut();
  if (isSignedIn(record)) return;
  throw new SessionError(
    'login_required',
    'No user is logged in to this session, so it has no state. Call the `login` tool, then repeat this call.',
  );
}

function contextOf({ ref, owner }: SessionRecord, version: number): SealContext {
  return { sessionRef: ref, owner, provider: '', generation: version };
}

function jsonOf(value: unknown): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError('JSON cannot represent the state. Use null to clear it.');
  if (Buffer.byteLength(text) <= STATE_LIMITS.maxBytes) return text;
  throw new RangeError('The state of a session has at most 64 KiB as JSON. Keep larger data in a database.');
}

function noRoom(): SessionError {
  return new SessionError(
    'limit_reached',
    'This server cannot keep more session state now. Try again later, or keep less.',
  );
}
