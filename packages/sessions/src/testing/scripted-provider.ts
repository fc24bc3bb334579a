import type { GrantedTokens, RefreshOutcome } from '../account/refresh/granted-tokens.js';
import type { Revocation } from '../session/session-events.js';
import type { Clock } from '../time/clock.js';
import { Secret } from '../vault/secret.js';
import type { TokenSet } from '../vault/token-set.js';

/** A refresh that the provider has received and not answered yet. */
export interface HeldRefresh {
  readonly refreshToken: string;
  answer(outcome: RefreshOutcome): void;
}

/**
 * A provider's ports with every answer in the hands of a test. Unless refreshes are held, each is granted
 * with rotated tokens.
 */
export class ScriptedProvider {
  readonly #clock: Clock;
  #issued = 0;
  /** The refresh tokens that were presented, in their order. */
  readonly presented: string[] = [];
  /** The tokens that were revoked. */
  readonly revoked: string[] = [];
  /** Refreshes that wait for an answer. */
  readonly held: HeldRefresh[] = [];
  /** Keep refreshes unanswered. */
  holds = false;
  expiresInSeconds: number | undefined = 600;
  revocation: Revocation = 'confirmed';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Fresh tokens, as a login or a refresh brings them. */
  grant(subject: string, fields: Partial<GrantedTokens> = {}): GrantedTokens {
    const number = ++this.#issued;
    return {
      tokens: {
        accessToken: Secret.fromString(`access-${subject}-${number}`),
        refreshToken: Secret.fromString(`refresh-${subject}-${number}`),
      },
      requestedAtMs: this.#clock.now(),
      expiresInSeconds: this.expiresInSeconds,
      scopes: undefined,
      identity: { subject },
      ...fields,
    };
  }

  readonly refresh = (_provider: string, refreshToken: Secret): Promise<RefreshOutcome> => {
    const presented = refreshToken.reveal();
    this.presented.push(presented);
    if (!this.holds) return Promise.resolve(this.granted(presented));
    return new Promise((answer) => this.held.push({ refreshToken: presented, answer }));
  };

  /** A refresh's answer: rotated tokens for whom the presented one was issued. */
  granted(presented: string): RefreshOutcome {
    const subject = presented.split('-')[1] ?? '';
    return { kind: 'granted', granted: this.grant(subject) };
  }

  readonly revoke = (_provider: string, tokens: TokenSet): Promise<Revocation> => {
    if (tokens.refreshToken) this.revoked.push(tokens.refreshToken.reveal());
    this.revoked.push(tokens.accessToken.reveal());
    return Promise.resolve(this.revocation);
  };
}
