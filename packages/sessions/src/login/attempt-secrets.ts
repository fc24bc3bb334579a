import type { AuthorizationChecks } from '../provider/authorization-request.js';
import { secretBuffer, wipe } from '../vault/memory.js';
import { Secret } from '../vault/secret.js';
import { decodeTokenSet, encodeTokenSet, type TokenSet } from '../vault/token-set.js';
import type { SealContext, SealedRecord, Vault } from '../vault/vault.js';
import type { PendingAttempt } from './attempt-record.js';

type Place = Pick<PendingAttempt, 'key' | 'snapshot' | 'provider'>;

/** What an attempt keeps sealed. A record of one kind does not open as another. */
const TOKENS = 0;
const CHECKS = 1;
const DEVICE_CODE = 2;

/**
 * Seals what a login attempt keeps: the checks of its authorization request, its device code, and tokens without an
 * account.
 */
export class AttemptSecrets {
  readonly #vault: Vault;

  /** @param vault one for tokens */
  constructor(vault: Vault) {
    this.#vault = vault;
  }

  sealChecks(attempt: Place, { state, nonce, codeVerifier }: AuthorizationChecks): SealedRecord {
    return this.#vault.seal(joinSecrets([state, nonce, codeVerifier]), contextOf(attempt, CHECKS));
  }

  /** Opens checks and wipes the sealed record. The caller wipes the checks. */
  takeChecks(attempt: Place, sealed: SealedRecord): AuthorizationChecks {
    const [state, nonce, codeVerifier] = splitSecrets(this.#open(attempt, CHECKS, sealed));
    if (!state || !nonce || !codeVerifier) throw new Error('The checks of a login are incomplete.');
    return { state, nonce, codeVerifier };
  }

  /** Seals a copy of tokens. */
  sealTokens(attempt: Place, tokens: TokenSet): SealedRecord {
    return this.#vault.seal(encodeTokenSet(tokens), contextOf(attempt, TOKENS));
  }

  /** Seals a copy of a device code. */
  sealDeviceCode(attempt: Place, deviceCode: Secret): SealedRecord {
    const copy = secretBuffer(deviceCode.byteLength);
    deviceCode.copyTo(copy, 0);
    return this.#vault.seal(copy, contextOf(attempt, DEVICE_CODE));
  }

  /** Opens a device code. The sealed record stays: each poll opens it. The caller wipes the code. */
  openDeviceCode(attempt: Place, sealed: SealedRecord): Secret {
    const opened = this.#vault.open(sealed, contextOf(attempt, DEVICE_CODE));
    const deviceCode = Secret.fromBytes(opened);
    wipe(opened);
    return deviceCode;
  }

  /** Opens tokens and wipes the sealed record. The caller wipes the tokens. */
  takeTokens(attempt: Place, sealed: SealedRecord): TokenSet {
    return decodeTokenSet(this.#open(attempt, TOKENS, sealed));
  }

  /** Overwrites a sealed record. */
  wipe(sealed: SealedRecord): void {
    this.#vault.wipe(sealed);
  }

  #open(attempt: Place, kind: number, sealed: SealedRecord): Buffer {
    try {
      return this.#vault.open(sealed, contextOf(attempt, kind));
    } finally {
      this.#vault.wipe(sealed);
    }
  }
}

/** An attempt has no account, so the kind is in the place of a generation. */
function contextOf({ snapshot, key, provider }: Place, kind: number): SealContext {
  return { sessionRef: snapshot.ref, owner: key, provider, generation: kind };
}

const LENGTH_BYTES = 2;

/** Joins secrets, each after its length, in a buffer that can be wiped. */
function joinSecrets(secrets: readonly Secret[]): Buffer {
  const size = secrets.reduce((total, { byteLength }) => total + LENGTH_BYTES + byteLength, 0);
  const joined = secretBuffer(size);
  let offset = 0;
  for (const secret of secrets) {
    offset = joined.writeUInt16BE(secret.byteLength, offset);
    secret.copyTo(joined, offset);
    offset += secret.byteLength;
  }
  return joined;
}

/** Splits the result of {@link joinSecrets}, and wipes it. */
function splitSecrets(joined: Buffer): Secret[] {
  const secrets: Secret[] = [];
  for (let offset = 0; offset < joined.length; ) {
    const start = offset + LENGTH_BYTES;
    offset = start + joined.readUInt16BE(offset);
    secrets.push(Secret.fromBytes(joined.subarray(start, offset)));
  }
  wipe(joined);
  return secrets;
}

/** Wipes the secrets of an authorization request. */
export function wipeChecks({ state, nonce, codeVerifier }: AuthorizationChecks): void {
  for (const secret of [state, nonce, codeVerifier]) secret.wipe();
}
