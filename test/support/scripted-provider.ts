import type {
  BeforeSend,
  GrantedTokens,
  RefreshOutcome,
} from '../../packages/sessions/src/account/refresh/granted-tokens.js';
import type { Revocation } from '../../packages/sessions/src/session/session-events.js';
import type { Clock } from '../../packages/sessions/src/time/clock.js';
import { Secret } from '../../packages/sessions/src/vault/secret.js';
import type { TokenSet } from '../../packages/sessions/src/vault/token-set.js';

/** A refresh that the provider has received and not answered. */
export interface HeldRefresh {
  readonly refreshToken: string;
  answer(outcome: RefreshOutcome): void;
}

/** A provider whose answers the test decides. It grants every refresh with rotated tokens, unless it holds refreshes. */
export class ScriptedProvider {
  readonly #clock: Clock;
  #issued = 0;
  /** The presented refresh tokens, in order. */
  readonly presented: string[] = [];
  /** The revoked tokens, in order. */
  readonly revoked: string[] = [];
  /** Refreshes without an answer. */
  readonly held: HeldRefresh[] = [];
  /** Whether refreshes stay without an answer. */
  holds = false;
  expiresInSeconds: number | undefined = 600;
  revocation: Revocation = 'confirmed';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** New tokens, as a login or a refresh grants them. */
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
      openIdSubject: subject,
      ...fields,
    };
  }

  /** @param beforeSend Default: the request is sent */
  readonly refresh = async (
    _provider: string,
    refreshToken: Secret,
    beforeSend: BeforeSend = async () => () => true,
  ): Promise<RefreshOutcome> => {
    const fence = await beforeSend();
    if (!fence?.()) return { kind: 'unwanted' };
    const presented = refreshToken.reveal();
    this.presented.push(presented);
    if (!this.holds) return this.granted(presented);
    return new Promise((answer) => this.held.push({ refreshToken: presented, answer }));
  };

  /** The answer to a refresh: rotated tokens of the same subject. */
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
