import type { Provider } from '../provider/provider.js';
import type { LoginCheck, LoginFlow } from '../session/session-events.js';
import type { Initiator, LoginOrigin } from './login-attempt.js';

export interface LoginChecksOptions {
  /** The claim that says who a token is about. */
  readonly subjectClaim: string;
  /** The authorization server that issues clients' tokens, where browsers can be signed in there. */
  readonly signIn: Provider | undefined;
}

/** Chooses how a login is checked, and checks whom a browser turned out to be. */
export class LoginChecks {
  readonly #options: LoginChecksOptions;

  constructor(options: LoginChecksOptions) {
    this.#options = options;
  }

  get signIn(): Provider | undefined {
    return this.#options.signIn;
  }

  checkOf({ initiator, origin }: LoginOrigin, provider: Provider, flow: LoginFlow): LoginCheck {
    if (initiator && provider.issuer === initiator.issuer) return 'same-user';
    // There is no browser that could sign in elsewhere, or show a code of ours.
    if (flow === 'device') return 'unchecked';
    if (initiator && this.#options.signIn) return 'sign-in';
    return origin === 'local' ? 'none' : 'code';
  }

  /** Whether an ID token is about the user who started a login. */
  isSameUser(
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
