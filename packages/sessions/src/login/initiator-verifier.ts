import type { Provider } from '../provider/provider.js';
import type { LoginCheck, LoginFlow } from '../session/session-events.js';
import type { Initiator, LoginSource } from './login-attempt.js';

export interface InitiatorVerifierOptions {
  /** The claim of an ID token that identifies the user. */
  readonly subjectClaim: string;
  /** The authorization server that issues the clients' access tokens, if browsers can sign in there. */
  readonly signIn: Provider | undefined;
}

/** Verifies that the user who completes a login is the one who started it. */
export class InitiatorVerifier {
  readonly #options: InitiatorVerifierOptions;

  constructor(options: InitiatorVerifierOptions) {
    this.#options = options;
  }

  get signIn(): Provider | undefined {
    return this.#options.signIn;
  }

  /** The check that a login from this source needs. */
  checkFor({ initiator, origin }: LoginSource, provider: Provider, flow: LoginFlow): LoginCheck {
    if (initiator && provider.issuer === initiator.issuer) return 'same-user';
    // In the device flow, no browser comes to this server that could sign in or show a code.
    if (flow === 'device') return 'unchecked';
    if (initiator && this.#options.signIn) return 'sign-in';
    return origin === 'local' ? 'none' : 'code';
  }

  /** Whether the claims of an ID token identify the user who started a login. */
  isInitiator(
    initiator: Initiator | undefined,
    idTokenClaims: Readonly<Record<string, unknown>> | undefined,
  ): boolean {
    return (
      initiator !== undefined &&
      idTokenClaims?.iss === initiator.issuer &&
      idTokenClaims[this.#options.subjectClaim] === initiator.subject
    );
  }
}
