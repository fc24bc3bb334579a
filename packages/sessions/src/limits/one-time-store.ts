import type { MaybePromise } from '../time/promises.js';

/** The maximum number of names of one session that can be redeemed; more than the calls that it may have in flight. */
export const MAX_ISSUED_PER_SESSION = 100;
/** The maximum number of names that can be redeemed. */
export const MAX_ISSUED = 10_000;
/** The maximum number of used names of one issuer. */
export const MAX_USED_PER_ISSUER = 10_000;

/** The session and the client that an issued name counts for. */
export interface OneTimeQuota {
  readonly session: string;
  /** The user or address that the session counts for. */
  readonly client: string;
}

/** A name that another server has issued, such as the `jti` of a token. */
export interface UsedName {
  /** Counts for itself, so that no issuer makes the names of another one void. */
  readonly issuer: string;
  readonly name: string;
}

/**
 * Names that are good for one time, on all nodes together. Names are random or digests: a store may keep them as they
 * are. A call that rejects (`store_unavailable`) may have taken effect, so its caller has to refuse what the name
 * stands for.
 */
export interface OneTimeStore {
  /**
   * Notes a name that may be redeemed once, before `untilMs`. Above a hundred names of a session, its oldest is void;
   * above 10,000, the oldest of the client that has the most.
   */
  issue(name: string, quota: OneTimeQuota, untilMs: number): MaybePromise<void>;

  /** @returns whether the name was issued, is valid, and was not redeemed before; for one caller at most */
  redeem(name: string): MaybePromise<boolean>;

  /**
   * Notes the use of a name until `untilMs`. Above 10,000 of an issuer, its oldest is forgotten.
   * @returns whether it is the first use; for one caller at most
   */
  use(used: UsedName, untilMs: number): MaybePromise<boolean>;

  /** Forgets the use of a name. */
  release(used: UsedName): MaybePromise<void>;
}
