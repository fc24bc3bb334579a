import type { SessionRef } from '../../session/ids.js';
import type { AccountRecord, SessionRecord } from '../../session/session-record.js';
import type { SessionRegistry } from '../../session/session-registry.js';
import { type Fence, type FenceClocks, fenceFor } from '../../time/fence.js';
import { type RandomSource, randomNumber } from '../../vault/random.js';

/** The minimum time before another refresh may send the refresh token again. */
const CLAIM_MS = 60_000;
/** How long after a failover the claims of other processes may be missing, until those have written them again. */
const SETTLING_MS = 10_000;
/** The time within which a claimed request is sent, or not at all. */
const SEND_WITHIN_MS = 5000;

export interface RefreshClaimOptions extends FenceClocks {
  readonly registry: Pick<SessionRegistry, 'update'>;
  readonly random: RandomSource;
  /** As that of `Ports`. */
  readonly failedOverAtMs?: (() => number) | undefined;
  /** Called with the errors of the store at a release. */
  readonly onError: (error: unknown) => void;
}

/** The token set that is refreshed. */
export interface RefreshTarget {
  readonly ref: SessionRef;
  readonly provider: string;
  readonly generation: number;
}

export type Claimed =
  | { readonly kind: 'claimed'; readonly fence: Fence }
  /** Another refresh has it. */
  | { readonly kind: 'held'; readonly untilMs: number }
  /** Another refresh may have it: a failover may have lost its claim. */
  | { readonly kind: 'unsettled'; readonly untilMs: number }
  /** The account has another generation, needs a new login, or is gone. */
  | { readonly kind: 'unwanted' };

/**
 * The right of one refresh to send a refresh token. It is noted in the account by compare-and-set, right before the
 * request. Other refreshes may send the token after a minute, and not before the access token has expired. After a
 * failover no claim is taken for ten seconds, and none is taken over for a minute: the clock of the engine may have jumped.
 */
export class RefreshClaim {
  readonly #options: RefreshClaimOptions;
  readonly #target: RefreshTarget;
  readonly #id: number;
  #isTaken = false;
  #isAmbiguous = false;

  /** Make one for each refresh, not for each request. */
  constructor(options: RefreshClaimOptions, target: RefreshTarget) {
    this.#options = options;
    this.#target = target;
    this.#id = randomNumber(options.random);
  }

  /** Whether another refresh may have sent this refresh token. */
  get isAmbiguous(): boolean {
    return this.#isAmbiguous;
  }

  /** Claims the right to send; again before each repetition. @throws SessionError `store_unavailable` */
  async take(): Promise<Claimed> {
    const { clock, failedOverAtMs = never } = this.#options;
    const { provider } = this.#target;
    // Noted first: what the store takes counts, too.
    const fence = fenceFor(this.#options, SEND_WITHIN_MS);
    let refusal: Claimed = { kind: 'unwanted' };
    this.#isTaken = true;
    const changed = await this.#update((record, current) => {
      const now = clock.now();
      const { claim, expiresAtMs = now } = current;
      const isForeign = claim !== undefined && claim.id !== this.#id;
      if (isForeign && claim.untilMs > now) {
        refusal = { kind: 'held', untilMs: claim.untilMs };
        return undefined;
      }
      const settledAtMs = failedOverAtMs() + (isForeign ? CLAIM_MS : SETTLING_MS);
      if (claim?.id !== this.#id && settledAtMs > now) {
        refusal = { kind: 'unsettled', untilMs: settledAtMs };
        return undefined;
      }
      refusal = { kind: 'unwanted' };
      if (isForeign) this.#isAmbiguous = true;
      const own = { id: this.#id, untilMs: Math.max(now + CLAIM_MS, expiresAtMs) };
      return { accounts: { ...record.accounts, [provider]: { ...current, claim: own } } };
    });
    return changed ? { kind: 'claimed', fence } : refusal;
  }

  /** Gives up a claim whose request used up no token. Errors are reported: the claim ends by itself. */
  async release(): Promise<void> {
    if (!this.#isTaken) return;
    const { provider } = this.#target;
    try {
      await this.#update((record, current) => {
        if (current.claim?.id !== this.#id) return undefined;
        // That an earlier refresh may have sent the token stays known: an ended claim makes the next one ambiguous.
        const claim = this.#isAmbiguous ? { id: this.#id, untilMs: this.#options.clock.now() } : undefined;
        return { accounts: { ...record.accounts, [provider]: { ...current, claim } } };
      });
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #update(change: (record: SessionRecord, current: AccountRecord) => Partial<SessionRecord> | undefined) {
    const { ref, provider, generation } = this.#target;
    return this.#options.registry.update(ref, (record) => {
      const current = record.accounts[provider];
      if (current?.generation !== generation || current.state !== 'authenticated') return undefined;
      return change(record, current);
    });
  }
}

const never = () => Number.NEGATIVE_INFINITY;
