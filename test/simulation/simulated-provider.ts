import type { GrantedTokens, RefreshOutcome } from '../../packages/sessions/src/account/granted-tokens.js';
import type { Revocation } from '../../packages/sessions/src/session/session-events.js';
import type { SeededRandom } from '../../packages/sessions/src/testing/seeded-random.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import type { TokenSet } from '../../packages/sessions/src/vault/token-set.js';

/** The tokens of one login, from the first to the last refresh. */
interface Family {
  readonly user: string;
  /** The number of the refresh token that is good now; earlier ones are used up. */
  current: number;
  isAlive: boolean;
  /** The refresh token whose answer was lost: whoever presented it could not know that it was used up. */
  lost: number | undefined;
}

export interface ProviderFaults {
  /** How probably a refresh is answered with an error, or its answer is lost. */
  readonly refusals: number;
  /** How probably tokens come without a lifetime or a refresh token. */
  readonly oddities: number;
}

const TOKEN = /^(access|refresh)\.(\d+)\.(\d+)$/;

/**
 * An authorization server with strict rotation: a refresh token that is used twice kills its family. It
 * knows of every token for whom it was issued, so that a token found anywhere tells whose it is.
 */
export class SimulatedProvider {
  readonly #random: SeededRandom;
  readonly #clock: VirtualClock;
  readonly #faults: ProviderFaults;
  readonly #families: Family[] = [];
  #isCalm = false;
  /** How many requests and answers are on their way. */
  travelling = 0;
  /** Refresh tokens that were presented again although nothing had gone wrong. */
  readonly reused: string[] = [];

  constructor(random: SeededRandom, clock: VirtualClock, faults: ProviderFaults) {
    this.#random = random;
    this.#clock = clock;
    this.#faults = faults;
  }

  /** From now on every request is answered as it should be. */
  calmDown(): void {
    this.#isCalm = true;
  }

  /** The tokens of a new login. */
  grant(user: string): GrantedTokens {
    const family = this.#families.push({ user, current: 1, isAlive: true, lost: undefined }) - 1;
    return this.#issue(family);
  }

  /** The family of a token. @throws when no such token was ever issued. */
  familyOf(token: string): number {
    const family = Number(TOKEN.exec(token)?.[2] ?? Number.NaN);
    if (!this.#families[family]) throw new Error('This token was never issued.');
    return family;
  }

  userOf(family: number): string | undefined {
    return this.#families[family]?.user;
  }

  isAlive(family: number): boolean {
    return this.#families[family]?.isAlive ?? false;
  }

  /** The families whose tokens can still be used. */
  livingFamilies(): number[] {
    return this.#families.flatMap(({ isAlive }, family) => (isAlive ? [family] : []));
  }

  readonly refresh = async (_provider: string, refreshToken: Secret): Promise<RefreshOutcome> => {
    const presented = refreshToken.reveal();
    await this.#travel();
    if (!this.#isCalm && this.#random.chance(this.#faults.refusals)) {
      return { kind: 'unavailable', retryAfterSeconds: undefined, cause: undefined };
    }
    const number = Number(TOKEN.exec(presented)?.[3]);
    const index = this.familyOf(presented);
    const family = this.#families[index];
    if (!family?.isAlive) return { kind: 'grant_revoked' };
    // A request can get lost before it is carried out, too, and then its token is as good as before.
    if (this.#isLost()) return { kind: 'lost', cause: undefined };
    if (family.current !== number) {
      if (family.lost !== number) this.reused.push(presented);
      family.isAlive = false;
      return { kind: 'grant_revoked' };
    }
    family.current++;
    const granted = this.#issue(index);
    await this.#travel();
    if (!this.#isLost()) return { kind: 'granted', granted };
    family.lost = number;
    return { kind: 'lost', cause: undefined };
  };

  readonly revoke = async (_provider: string, tokens: TokenSet): Promise<Revocation> => {
    const family = this.#families[this.familyOf(tokens.accessToken.reveal())];
    await this.#travel();
    if (family) family.isAlive = false;
    return 'confirmed';
  };

  #isLost(): boolean {
    return !this.#isCalm && this.#random.chance(this.#faults.refusals / 8);
  }

  #issue(index: number): GrantedTokens {
    const number = this.#families[index]?.current ?? 0;
    const isOdd = this.#random.chance(this.#faults.oddities);
    const lifetimeSeconds = this.#random.pick([30, 120, 600, 3600]);
    return {
      tokens: {
        accessToken: Secret.fromString(`access.${index}.${number}`),
        refreshToken: isOdd && number === 1 ? undefined : Secret.fromString(`refresh.${index}.${number}`),
      },
      requestedAtMs: this.#clock.now(),
      expiresInSeconds: isOdd ? undefined : lifetimeSeconds,
      scopes: undefined,
      identity: { subject: this.#families[index]?.user ?? '' },
    };
  }

  /** Takes up to ten seconds, mostly far less. */
  async #travel(): Promise<void> {
    const delayMs = this.#random.below(this.#random.chance(0.1) ? 10_000 : 300);
    this.travelling++;
    await new Promise<void>((resolve) => this.#clock.after(delayMs, resolve));
    this.travelling--;
  }
}
