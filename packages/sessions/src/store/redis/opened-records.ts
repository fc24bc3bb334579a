import type { SessionRef } from '../../session/ids.js';
import type { SessionRecord } from '../../session/session-record.js';
import { secretCopy, wipe } from '../../vault/memory.js';
import type { SealedRecord } from '../../vault/vault.js';

/** The maximum size of the records that are kept, in bytes. Those that were used longest ago are dropped first. */
const MAX_BYTES = 32 * 1024 * 1024;
/** What an opened record takes for each byte of the sealed one, and besides, in bytes. */
const BYTES_PER_SEALED = 2;
const ENTRY_BYTES = 1000;
/** How long a record is kept that is not used, at least until the next one is opened. */
const UNUSED_MS = 60_000;

/** What a sealed record has. The engine has the other fields in clear. */
export type KeptRecord = Omit<SessionRecord, 'ref' | 'version' | 'lastRequestAtMs' | 'dueAtMs'>;

interface OpenedRecord {
  readonly version: number;
  readonly kept: KeptRecord;
  readonly bytes: number;
  usedAtMs: number;
}

/**
 * Records that this node has opened, by their versions: the engine sends a record only if it has another version. Tokens
 * in them are sealed.
 */
export class OpenedRecords {
  readonly #now: () => number;
  /** Those that were used longest ago first. */
  readonly #records = new Map<SessionRef, OpenedRecord>();
  #bytes = 0;

  /** @param now milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** A copy of the latest record of a session that was opened. The session may have another version by now. */
  copyOf(ref: SessionRef): Pick<OpenedRecord, 'version' | 'kept'> | undefined {
    const opened = this.#records.get(ref);
    if (!opened) return undefined;
    opened.usedAtMs = this.#now();
    this.#records.delete(ref);
    this.#records.set(ref, opened);
    return { version: opened.version, kept: withOwnSeals(opened.kept) };
  }

  /** @param sealedBytes the size of the sealed record */
  set(ref: SessionRef, version: number, kept: KeptRecord, sealedBytes: number): void {
    this.delete(ref);
    const bytes = BYTES_PER_SEALED * sealedBytes + ENTRY_BYTES;
    const usedAtMs = this.#now();
    this.#records.set(ref, { version, kept: withOwnSeals(kept), bytes, usedAtMs });
    this.#bytes += bytes;
    for (const [each, { usedAtMs: lastMs }] of this.#records) {
      if (this.#bytes <= MAX_BYTES && lastMs > usedAtMs - UNUSED_MS) return;
      this.delete(each);
    }
  }

  /** Overwrites and drops the record of a session that has changed or ended. */
  delete(ref: SessionRef): void {
    const opened = this.#records.get(ref);
    if (!opened) return;
    this.#records.delete(ref);
    this.#bytes -= opened.bytes;
    for (const { sealed } of Object.values(opened.kept.accounts)) if (sealed) wipe(sealed.bytes);
    if (opened.kept.state) wipe(opened.kept.state.sealed.bytes);
  }
}

/** A copy whose sealed tokens may be wiped without a change of the other one. */
function withOwnSeals(kept: KeptRecord): KeptRecord {
  const { state } = kept;
  const accounts = Object.entries(kept.accounts).map(
    ([name, account]) =>
      [name, account.sealed ? { ...account, sealed: copyOf(account.sealed) } : account] as const,
  );
  return {
    ...kept,
    accounts: Object.fromEntries(accounts),
    ...(state && { state: { ...state, sealed: copyOf(state.sealed) } }),
  };
}

function copyOf({ salt, bytes }: SealedRecord): SealedRecord {
  return { salt: secretCopy(salt), bytes: secretCopy(bytes) };
}
