import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import { digestOf, isSameDigest } from '../vault/secret-digest.js';
import { decodeTokenSet, encodeTokenSet, wipeTokenSet } from '../vault/token-set.js';
import type { SealContext, Vault } from '../vault/vault.js';
import type { LoginAttempt, UnconfirmedGrant } from './login-attempt.js';

const CODE_LIFETIME_MS = 5 * 60 * 1000;
const CODE_TRIES = 5;

/** Keeps the tokens of a login sealed until the session that started it presents the confirmation code. */
export class UnconfirmedGrants {
  readonly #vault: Vault;
  readonly #random: RandomSource;
  readonly #clock: Clock;

  constructor(vault: Vault, random: RandomSource, clock: Clock) {
    this.#vault = vault;
    this.#random = random;
    this.#clock = clock;
  }

  /** Seals the tokens of an attempt. @returns the confirmation code, of which only the digest is kept */
  put(attempt: LoginAttempt, granted: GrantedTokens): { code: string; expiresAtMs: number } {
    const { tokens, ...rest } = granted;
    const code = mintConfirmationCode(this.#random);
    const expiresAtMs = this.#clock.now() + CODE_LIFETIME_MS;
    attempt.unconfirmed = {
      granted: rest,
      sealed: this.#vault.seal(encodeTokenSet(tokens), contextOf(attempt)),
      codeDigest: digestOf(code),
      expiresAtMs,
      triesLeft: CODE_TRIES,
    };
    wipeTokenSet(tokens);
    return { code, expiresAtMs };
  }

  /** Compares a code as the user typed it. A wrong code uses up a try. */
  isCorrectCode(unconfirmed: UnconfirmedGrant, typed: string): boolean {
    if (isSameDigest(digestOf(normaliseConfirmationCode(typed)), unconfirmed.codeDigest)) return true;
    unconfirmed.triesLeft--;
    return false;
  }

  /** Takes the tokens out of an attempt; `undefined` if it has none. */
  take(attempt: LoginAttempt): GrantedTokens | undefined {
    const { unconfirmed } = attempt;
    if (!unconfirmed) return undefined;
    attempt.unconfirmed = undefined;
    const tokens = decodeTokenSet(this.#vault.open(unconfirmed.sealed, contextOf(attempt)));
    this.#vault.wipe(unconfirmed.sealed);
    return { ...unconfirmed.granted, tokens };
  }
}

/** Unconfirmed tokens belong to an attempt, not to an account, so they have no generation. */
function contextOf(attempt: LoginAttempt): SealContext {
  const { snapshot, id, provider } = attempt;
  return { sessionRef: snapshot.ref, owner: digestOf(id), provider, generation: 0 };
}

/** Crockford's base 32, without the letters that look like digits. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Generates a one-time code of 40 random bits, as `XXXX-XXXX`. */
export function mintConfirmationCode(random: RandomSource): string {
  let bits = BigInt(`0x${random(5).toString('hex')}`);
  let code = '';
  for (let digit = 0; digit < 8; digit++) {
    code = ALPHABET.charAt(Number(bits % 32n)) + code;
    bits /= 32n;
  }
  return `${code.slice(0, 4)}-${code.slice(4)}`;
}

/** Normalises a typed code for comparison: ignores case, spaces and hyphens, and reads O as 0 and I and L as 1. */
export function normaliseConfirmationCode(typed: string): string {
  const letters = typed.toUpperCase().replaceAll(/[\s-]/g, '').replaceAll('O', '0').replaceAll(/[IL]/g, '1');
  return `${letters.slice(0, 4)}-${letters.slice(4)}`;
}
