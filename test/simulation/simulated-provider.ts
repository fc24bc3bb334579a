import type {
  BeforeSend,
  GrantedTokens,
  RefreshOutcome,
} from '../../packages/sessions/src/account/refresh/granted-tokens.js';
import type { Revocation } from '../../packages/sessions/src/session/session-events.js';
import type { VirtualClock } from '../../packages/sessions/src/testing/virtual-clock.js';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import type { TokenSet } from '../../packages/sessions/src/vault/token-set.js';
import type { NodeClock } from '../support/node-clock.js';
import type { SeededRandom } from '../support/seeded-random.js';
import { Outages } from './outages.js';
import { TokenFamilies } from './token-families.js';

export interface ProviderFaults {
  /** The probability that a refresh is answered with an error. An eighth as often, the answer is lost. */
  readonly refusals: number;
  /**
   * The probability that tokens come without a lifetime, a login brings no refresh token, and its refresh token is good
   * more than once.
   */
  readonly nonconformances: number;
  /** The probability that a request or an answer takes up to forty seconds. */
  readonly delays: number;
  /** The probability that a refresh finds its login revoked by an administrator. */
  readonly revocations: number;
  /** The probability that a node is stopped when it is about to send a refresh, and when it has sent it. */
  readonly freezes: number;
  /** How long the provider is up between two outages at most. */
  readonly longestUptimeMs: number;
}

/** The time that the library waits for the answer to a refresh. */
const REFRESH_TIMEOUT_MS = 30_000;
const LONGEST_DELAY_MS = 40_000;

const LOST = { kind: 'lost', cause: undefined } as const;

/** An authorization server with strict rotation, and the network between it and the library. */
export class SimulatedProvider {
  readonly families: TokenFamilies;
  readonly #random: SeededRandom;
  readonly #clock: VirtualClock;
  readonly #faults: ProviderFaults;
  readonly #outages: Outages;
  #isCalm = false;
  #refreshing = 0;
  /** How many requests and answers are on their way. */
  travelling = 0;
  /** How many refreshes were waited for at the same time, at most. */
  mostRefreshing = 0;

  constructor(random: SeededRandom, clock: VirtualClock, faults: ProviderFaults) {
    this.#random = random;
    this.#clock = clock;
    this.#faults = faults;
    this.families = new TokenFamilies(faults.freezes > 0);
    this.#outages = new Outages(random, faults.longestUptimeMs);
  }

  /** From now on every request is answered without faults. */
  calmDown(): void {
    this.#isCalm = true;
  }

  /** Whether no user can log in now. */
  get isDown(): boolean {
    return !this.#isCalm && this.#outages.at(this.#clock.now()) !== undefined;
  }

  /** The tokens of a new login. */
  grant(user: string): GrantedTokens {
    const family = this.families.start(user, !this.#happens(this.#faults.nonconformances));
    return this.#issue(family, !this.#happens(this.#faults.nonconformances));
  }

  /** Sends the refreshes of a node. */
  readonly refreshFor =
    (node: NodeClock) =>
    async (_provider: string, refreshToken: Secret, beforeSend: BeforeSend): Promise<RefreshOutcome> => {
      const fence = await beforeSend();
      if (!fence) return { kind: 'unwanted' };
      await this.#sign(node);
      if (!fence()) return { kind: 'unwanted' };
      const presented = refreshToken.reveal();
      this.families.sent(presented, this.#clock.now());
      this.mostRefreshing = Math.max(this.mostRefreshing, ++this.#refreshing);
      this.#mayStop(node);
      const outcome = await this.#withTimeout(node, this.#answer(presented));
      this.#refreshing--;
      this.families.heard(presented, outcome.kind);
      return outcome;
    };

  /** Sends the revocations of a node. */
  readonly revokeFor =
    (node: NodeClock) =>
    async (_provider: string, { accessToken, refreshToken }: TokenSet): Promise<Revocation> => {
      const [access, refresh] = [accessToken.reveal(), refreshToken?.reveal()];
      await this.#travel();
      this.families.revoke(access, refresh);
      await continues(node);
      return 'confirmed';
    };

  /** As in the library: an answer that takes too long is lost, and its tokens may arrive late. */
  #withTimeout(node: NodeClock, answering: Promise<RefreshOutcome>): Promise<RefreshOutcome> {
    return new Promise((resolve) => {
      const received = new Promise<RefreshOutcome>((receive) => {
        void answering.then((outcome) => node.run(() => receive(outcome)));
      });
      const late = received.then((outcome) =>
        outcome.kind === 'granted' ? outcome.granted.tokens : undefined,
      );
      const cancel = node.after(REFRESH_TIMEOUT_MS, () => resolve({ ...LOST, late }));
      void received.then((outcome) => {
        cancel();
        resolve(outcome);
      });
    });
  }

  /** What is done between the claim and the request. Some nodes are stopped just then. */
  async #sign(node: NodeClock): Promise<void> {
    this.#mayStop(node);
    if (this.#faults.freezes > 0) await new Promise<void>((resolve) => node.after(0, resolve));
  }

  #mayStop(node: NodeClock): void {
    if (this.#fails(this.#faults.freezes)) node.freeze(10_000 + this.#random.below(170_000));
  }

  async #answer(presented: string): Promise<RefreshOutcome> {
    await this.#travel();
    const outage = this.#isCalm ? undefined : this.#outages.at(this.#clock.now());
    if (outage) return { ...outage, cause: undefined };
    const { refusals, revocations } = this.#faults;
    if (this.#fails(refusals)) return { kind: 'unavailable', retryAfterSeconds: undefined, cause: undefined };
    const family = this.families.of(presented);
    if (this.#fails(revocations)) this.families.kill(family);
    // A request can get lost before it is carried out, too, and then its token is as good as before.
    if (this.#fails(refusals / 8)) return LOST;
    if (!this.families.redeem(presented)) return { kind: 'grant_revoked' };
    const granted = this.#issue(family, this.families.rotates(family) || this.#happens(0.5));
    await this.#travel();
    if (!this.#fails(refusals / 8)) return { kind: 'granted', granted };
    this.families.newestAreLost(family);
    return LOST;
  }

  #issue(family: number, withRefreshToken: boolean): GrantedTokens {
    const lifetimeSeconds = this.#random.pick([30, 120, 600, 3600]);
    const saysLifetime = !this.#happens(this.#faults.nonconformances);
    const now = this.#clock.now();
    const issued = this.families.issue(family, saysLifetime ? now + lifetimeSeconds * 1000 : undefined);
    return {
      tokens: {
        accessToken: Secret.fromString(issued.accessToken),
        refreshToken: withRefreshToken ? Secret.fromString(issued.refreshToken) : undefined,
      },
      requestedAtMs: now,
      expiresInSeconds: saysLifetime ? lifetimeSeconds : undefined,
      scopes: undefined,
      identity: { subject: this.families.userOf(family) },
    };
  }

  /** Takes almost no time in most cases. */
  async #travel(): Promise<void> {
    const longestMs = this.#fails(this.#faults.delays) ? LONGEST_DELAY_MS : this.#fails(0.1) ? 10_000 : 300;
    this.travelling++;
    await new Promise<void>((resolve) => this.#clock.after(this.#random.below(longestMs), resolve));
    this.travelling--;
  }

  #happens(probability: number): boolean {
    return this.#random.chance(probability);
  }

  #fails(probability: number): boolean {
    return !this.#isCalm && this.#happens(probability);
  }
}

/** Resolves when a node goes on. */
function continues(node: NodeClock): Promise<void> {
  return new Promise((resolve) => node.run(resolve));
}
