import type { GrantedTokens } from '../account/refresh/granted-tokens.js';
import type { Clock } from '../time/clock.js';
import type { RandomSource } from '../vault/random.js';
import { digestOf, isSameDigest } from '../vault/secret-digest.js';
import { decodeTokenSet, encodeTokenSet, wipeTokenSet } from '../vault/token-set.js';
import type { SealContext, Vault } from '../vault/vault.js';
import { mintConfirmationCode, normaliseConfirmationCode } from './confirmation-code.js';
import type { LoginAttempt, UnconfirmedGrant } from './login-attempt.js';

const CODE_LIFETIME_MS = 5 * 60 * 1000;
const CODE_TRIES = 5;

/** Keeps the tokens of a login under seal until the session that started it presents the confirmation code. */
export class UnconfirmedGrants {
  readonly #vault: Vault;
  readonly #random: RandomSource;
  readonly #clock: Clock;

  constructor(vault: Vault, random: RandomSource, clock: Clock) {
    this.#vault = vault;
    this.#random = random;
    this.#clock = clock;
  }

  /** Seals what was granted. @returns the code that releases it, which is kept nowhere. */
  put(attempt: LoginAttempt, granted: GrantedTokens): { code: string; inert: UnconfirmedGrant } {
    const { tokens, ...rest } = granted;
    const code = mintConfirmationCode(this.#random);
    const inert: UnconfirmedGrant = {
      granted: rest,
      sealed: this.#vault.seal(encodeTokenSet(tokens), contextOf(attempt)),
      codeDigest: digestOf(code),
      expiresAtMs: this.#clock.now() + CODE_LIFETIME_MS,
      triesLeft: CODE_TRIES,
    };
    wipeTokenSet(tokens);
    attempt.inert = inert;
    return { code, inert };
  }

  /** Compares a code as somebody typed it. A wrong one costs a try. */
  isRight(inert: UnconfirmedGrant, typed: string): boolean {
    if (isSameDigest(digestOf(normaliseConfirmationCode(typed)), inert.codeDigest)) return true;
    inert.triesLeft--;
    return false;
  }

  /** Takes out what waits in an attempt; `undefined` if nothing does. */
  take(attempt: LoginAttempt): GrantedTokens | undefined {
    const { inert } = attempt;
    if (!inert) return undefined;
    attempt.inert = undefined;
    const tokens = decodeTokenSet(this.#vault.open(inert.sealed, contextOf(attempt)));
    this.#vault.wipe(inert.sealed);
    return { ...inert.granted, tokens };
  }
}

/** Inert tokens belong to an attempt: no account has them, so they have no generation either. */
function contextOf(attempt: LoginAttempt): SealContext {
  const { snapshot, id, provider } = attempt;
  return { sessionRef: snapshot.ref, owner: digestOf(id), provider, generation: 0 };
}
