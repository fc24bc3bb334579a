import type { RefreshOutcome } from '../../packages/sessions/src/account/refresh/granted-tokens.js';

/** The tokens of one login, from the first to the last refresh. */
interface Family {
  readonly user: string;
  /** Whether a refresh uses its refresh token up. */
  readonly rotates: boolean;
  /** How many token sets it has been given. */
  issued: number;
  /** The number of the refresh token that is good now; earlier ones are used up. */
  refresh: number;
  isAlive: boolean;
  /** When each access token runs out; those are not in it that were issued without saying so. */
  readonly expiriesMs: Map<number, number>;
  /** Refresh tokens that were sent, and whose answer is awaited. */
  readonly underWay: Set<number>;
  /** When each refresh token was sent last. */
  readonly sentAtMs: Map<number, number>;
  /** Refresh tokens whose last answer was lost: a caller that sends one again cannot know whether it is used up. */
  readonly unanswered: Set<number>;
  /** Used up perhaps by a sender that was stopped, and sent again by another one. */
  readonly takenOver: Set<number>;
  /** Sent again a minute later, by a sender that has no answer yet. */
  readonly repeated: Set<number>;
  /** The newest tokens reached no caller, so they cannot be revoked. */
  isOutOfReach: boolean;
  /** An engine has lost what its refreshes have written. */
  isExcused: boolean;
}

/** The time after which another node may send a refresh token again: a minute after the claim, which is five seconds old at most when the token is sent. */
const REPEATED_AFTER_MS = 55_000;

const TOKEN = /^(?:access|refresh)\.(\d+)\.(\d+)$/;

/**
 * The tokens of a strict authorization server: a refresh token that is used twice revokes its family, and the
 * revocation of a used one does nothing. It records the user of each token, so that a token
 * found anywhere identifies its user, and records misuse of tokens.
 */
export class TokenFamilies {
  readonly #families: Family[] = [];
  readonly #canCrash: boolean;
  /** The misuse of refresh tokens. */
  readonly misuses: string[] = [];

  /** @param canCrash whether the sender of a token can be gone before it has the answer */
  constructor(canCrash: boolean) {
    this.#canCrash = canCrash;
  }

  /** @returns the number of a new family, which has no tokens yet. */
  start(user: string, rotates: boolean): number {
    const family: Family = {
      user,
      rotates,
      issued: 0,
      refresh: 1,
      isAlive: true,
      expiriesMs: new Map(),
      underWay: new Set(),
      sentAtMs: new Map(),
      unanswered: new Set(),
      takenOver: new Set(),
      repeated: new Set(),
      isOutOfReach: false,
      isExcused: false,
    };
    return this.#families.push(family) - 1;
  }

  /** The family of a token. @throws when no such token was ever issued. */
  of(token: string): number {
    const family = numbersOf(token).family;
    if (!this.#families[family]) throw new Error('This token was never issued.');
    return family;
  }

  rotates(family: number): boolean {
    return this.#at(family).rotates;
  }

  userOf(family: number): string {
    return this.#at(family).user;
  }

  isAlive(family: number): boolean {
    return this.#at(family).isAlive;
  }

  /** An engine has lost what was known of a family: its refresh token may be sent again, and may be used up. */
  excuse(family: number): void {
    this.#at(family).isExcused = true;
  }

  isExcused(family: number): boolean {
    return this.#at(family).isExcused;
  }

  /** Those whose tokens can still be used. */
  living(): number[] {
    return this.#families.flatMap(({ isAlive, isOutOfReach }, family) =>
      isAlive && !isOutOfReach ? [family] : [],
    );
  }

  /** Whether a refresh token must be accepted, as far as a caller knows that sent it and got the answers. */
  isGood(refreshToken: string): boolean {
    const { family, number } = numbersOf(refreshToken);
    const { isAlive, isExcused, refresh, unanswered, takenOver, underWay } = this.#at(family);
    // A sender that has no answer yet may be gone.
    const isStopped = this.#canCrash && underWay.has(number);
    const isUnknown = unanswered.has(number) || takenOver.has(number) || isStopped;
    return isAlive && !isExcused && refresh === number && !isUnknown;
  }

  /** Whether an access token has run out. */
  hasExpired(accessToken: string, nowMs: number): boolean {
    const { family, number } = numbersOf(accessToken);
    return nowMs >= (this.#at(family).expiriesMs.get(number) ?? Number.POSITIVE_INFINITY);
  }

  /**
   * A refresh token is sent. Only one whose answer was lost may have been used up by then. If nodes can crash, a
   * token that was sent may be sent again a minute later: its sender may be gone (rule 52). This is the one retry of
   * rule 20: its sender does not repeat it. If that one is gone, too, the next one has the same right. A server that
   * revokes a grant for a used token has done so at the first retry, so a further one reveals and ends nothing more.
   */
  sent(refreshToken: string, nowMs: number): void {
    const { family, number } = numbersOf(refreshToken);
    const { underWay, unanswered, takenOver, repeated, rotates, isAlive, refresh, sentAtMs } =
      this.#at(family);
    const isUnknown = unanswered.has(number) || takenOver.has(number);
    const isUsedUp = isAlive && refresh !== number && !isUnknown;
    const mayRepeat = this.#canCrash && nowMs - (sentAtMs.get(number) ?? nowMs) >= REPEATED_AFTER_MS;
    sentAtMs.set(number, nowMs);
    // The first sender may commit late. If its refresh token stays good, the next token set has the same one.
    const isOfNextSet = !rotates && repeated.has(number);
    if (mayRepeat) repeated.add(number);
    const { isExcused } = this.#at(family);
    if (isExcused) {
      underWay.add(number);
      return;
    }
    if ((underWay.has(number) || isUsedUp) && mayRepeat) takenOver.add(number);
    else if (underWay.has(number) && !isOfNextSet)
      this.misuses.push('A refresh token was sent twice at the same time.');
    else if (isUsedUp) this.misuses.push('A refresh token was used twice.');
    underWay.add(number);
  }

  /** The sender of a refresh token has an answer, or has stopped waiting for it. */
  heard(refreshToken: string, outcome: RefreshOutcome['kind']): void {
    const { family, number } = numbersOf(refreshToken);
    const { underWay, unanswered, takenOver, repeated, refresh } = this.#at(family);
    underWay.delete(number);
    repeated.delete(number);
    if (outcome === 'lost') unanswered.add(number);
    if (outcome !== 'granted') return;
    unanswered.delete(number);
    // A refresh token that stays good is sent as if it were new.
    if (refresh === number) takenOver.delete(number);
  }

  /** Redeems a refresh token; a used one revokes its family. @returns whether it was valid */
  redeem(refreshToken: string): boolean {
    const { family: index, number } = numbersOf(refreshToken);
    const family = this.#at(index);
    if (!family.isAlive) return false;
    family.isAlive = family.refresh === number;
    if (family.isAlive && family.rotates) family.refresh++;
    return family.isAlive;
  }

  /** The next tokens of a family. */
  issue(index: number, expiresAtMs: number | undefined): { accessToken: string; refreshToken: string } {
    const family = this.#at(index);
    family.issued++;
    family.isOutOfReach = false;
    if (expiresAtMs !== undefined) family.expiriesMs.set(family.issued, expiresAtMs);
    return {
      accessToken: `access.${index}.${family.issued}`,
      refreshToken: `refresh.${index}.${family.refresh}`,
    };
  }

  /** The answer with the newest tokens of a family got lost. */
  newestAreLost(family: number): void {
    this.#at(family).isOutOfReach = true;
  }

  /** Another party, such as an administrator, revokes a login. */
  kill(family: number): void {
    this.#at(family).isAlive = false;
  }

  /** Revokes a family by its newest tokens; older ones are invalid already. */
  revoke(accessToken: string, refreshToken: string | undefined): void {
    const { family: index, number } = numbersOf(refreshToken ?? accessToken);
    const family = this.#at(index);
    if (number === (refreshToken === undefined ? family.issued : family.refresh)) family.isAlive = false;
  }

  #at(index: number): Family {
    const family = this.#families[index];
    if (!family) throw new Error('There is no such family.');
    return family;
  }
}

function numbersOf(token: string): { family: number; number: number } {
  const [, family, number] = TOKEN.exec(token) ?? [];
  return { family: Number(family), number: Number(number) };
}
