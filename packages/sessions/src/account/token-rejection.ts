import { SessionError, signedOut } from '../errors.js';
import { scopesRefused, stepUpRequired, tokenRejected } from '../session/account-errors.js';
import type { AccountRecord, SessionSnapshot } from '../session/session-record.js';
import type { SessionRegistry } from '../session/session-registry.js';
import type { Clock } from '../time/clock.js';
import type { Accounts } from './accounts.js';
import { type Demand, kindOfClaims, MAX_DEMANDED_SCOPES } from './challenge.js';
import type { TokenRefresher } from './refresh/refresher.js';

export interface TokenRejectionsOptions {
  readonly accounts: Accounts;
  readonly refresher: TokenRefresher;
  readonly registry: SessionRegistry;
  readonly clock: Clock;
}

/** A demand that is repeated so soon after the login that answered it is not met by another login. */
const REPEATED_MS = 10 * 60 * 1000;

/** What follows when an API rejects an access token, or demands more of the login. */
export class TokenRejections {
  readonly #options: TokenRejectionsOptions;

  constructor(options: TokenRejectionsOptions) {
    this.#options = options;
  }

  /**
   * Renews the token set of an account, once. If an API rejects the renewed one, too, or if there is no refresh token,
   * the account needs a new login.
   * @param generation the rejected token set. Default: the current one
   * @throws SessionError `login_required`, `reauthentication_required`, `provider_unavailable`, `provider_refused`,
   * `signed_out`
   */
  async renew(snapshot: SessionSnapshot, provider: string, generation?: number): Promise<void> {
    const { accounts, refresher } = this.#options;
    const { record, account } = await accounts.require(snapshot, provider);
    if (generation !== undefined && generation !== account.generation) return;
    const { ref } = record;
    if (!account.hasRefreshToken) {
      await refresher.giveUp(record, account, 'token_rejected');
    } else if (!account.tokenRejected) {
      return refresher.replaceRefused(ref, provider, account.generation).catch(async (error: unknown) => {
        // During an outage, a tool knows better than a 401 whether the token is dead.
        const isOutage = error instanceof SessionError && error.code === 'provider_unavailable';
        if (isOutage) await refresher.expire(ref, account);
        throw error;
      });
    } else if (account.failureReason !== 'token_rejected' || !this.#isOver(account)) {
      await refresher.expire(ref, account, 'token_rejected');
    }
    throw tokenRejected(provider);
  }

  /** Notes that an API has rejected a token set right after its renewal. Other APIs may accept it. */
  async rejectedAgain(snapshot: SessionSnapshot, provider: string, generation: number): Promise<void> {
    const { accounts, refresher } = this.#options;
    const { record, account } = await accounts.require(snapshot, provider);
    if (account.generation === generation) await refresher.noteRejected(record.ref, account);
  }

  /** Whether an API has rejected a token set right after its renewal: another renewal would not help. */
  async isNoted({ ref, epoch }: SessionSnapshot, provider: string, generation: number): Promise<boolean> {
    const record = await this.#options.registry.get(ref);
    const account = record?.epoch === epoch ? record.accounts[provider] : undefined;
    return account?.generation === generation && account.failureReason === 'token_rejected';
  }

  /** Notes that an API accepts the token of a login that answered a demand. The same demand again is a new one. */
  async accepted({ ref, epoch }: SessionSnapshot, provider: string): Promise<void> {
    await this.#options.registry.update(ref, (record) => {
      const account = record.accounts[provider];
      if (record.epoch !== epoch || !account?.answeredClaims) return undefined;
      return {
        accounts: { ...record.accounts, [provider]: { ...account, answeredClaims: undefined } },
      };
    });
  }

  /**
   * Notes what an API demands, so that the next login requests it.
   * @param origin the origin of the API. Absent if a tool says so
   * @returns the error that says what to do; `undefined` if the login has all of it, so that another one is useless
   * @throws SessionError `login_required`, `reauthentication_required`, `signed_out`
   */
  async demand(
    snapshot: SessionSnapshot,
    provider: string,
    demand: Demand,
    origin?: string,
  ): Promise<SessionError | undefined> {
    const { accounts, registry } = this.#options;
    const { account } = await accounts.require(snapshot, provider);
    const lacking = lackingOf(account, demand, this.#options.clock.now());
    const refused = lacking.scopes?.filter((scope) => account.refusedScopes?.includes(scope)) ?? [];
    if (refused.length > 0) return scopesRefused(provider, refused);
    if (!lacking.scopes && lacking.claims === undefined) return undefined;
    await registry.update(snapshot.ref, (record) => {
      if (record.epoch !== snapshot.epoch) throw signedOut();
      const current = record.accounts[provider];
      if (current?.state !== 'authenticated') return undefined;
      const stepUp = added(current.stepUp, lacking);
      return { accounts: { ...record.accounts, [provider]: { ...current, stepUp } } };
    });
    return stepUpRequired(provider, { scopes: lacking.scopes, origin });
  }

  #isOver({ expiresAtMs }: AccountRecord): boolean {
    return expiresAtMs !== undefined && this.#options.clock.now() >= expiresAtMs;
  }
}

/** What a demand has that the login does not. Claims that a login has just answered would be answered the same. */
function lackingOf(
  { scopes, answeredClaims: answered }: AccountRecord,
  demand: Demand,
  nowMs: number,
): Demand {
  const missing = demand.scopes?.filter((scope) => !scopes.includes(scope)) ?? [];
  const { claims } = demand;
  const isRepeated = (demanded: string) =>
    answered?.kind === kindOfClaims(demanded) && nowMs < answered.atMs + REPEATED_MS;
  return {
    ...(missing.length > 0 && { scopes: missing }),
    ...(claims !== undefined && !isRepeated(claims) && { claims }),
  };
}

/** One login requests the scopes of several demands, and the claims of the last one. */
function added(before: Demand | undefined, { scopes = [], claims = before?.claims }: Demand): Demand {
  const all = [...new Set([...scopes, ...(before?.scopes ?? [])])].slice(0, MAX_DEMANDED_SCOPES);
  return { ...(all.length > 0 && { scopes: all }), ...(claims !== undefined && { claims }) };
}
