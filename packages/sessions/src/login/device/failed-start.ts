import { SessionError } from '../../errors.js';
import { ProviderError } from '../../session/provider-failures.js';
import type { LoginFailure } from '../../session/session-events.js';
import type { FailedLogin } from '../login-attempt.js';

/** What the failures of a request for codes were, for a call that has not made it itself. */
const OUTCOMES = {
  declined: 'denied',
  provider_unavailable: 'unavailable',
  provider_refused: 'refused',
} as const satisfies Partial<Record<LoginFailure, string>>;

/** The error of a call whose own request for codes has failed. */
export function errorOfStart(error: unknown): SessionError {
  return error instanceof SessionError ? error : internalError(error);
}

/** The error of a call that has waited for the codes of an attempt that has ended. */
export function endedStart(provider: string, { failure, reason, oauthError }: FailedLogin): SessionError {
  if (failure === 'internal_error') return internalError();
  if (!reason || !isOfProvider(failure)) return canceledStart();
  return new ProviderError({ provider, step: 'device', outcome: OUTCOMES[failure], reason, oauthError });
}

/** The error of a call whose login has ended otherwise before its codes came. */
export function canceledStart(): SessionError {
  return new SessionError(
    'login_failed',
    'This login was canceled before the provider returned a code. Call `login` again.',
  );
}

function internalError(cause?: unknown): SessionError {
  return new SessionError(
    'login_failed',
    'The login failed because of an internal error of this server. Call `login` to try again. If it fails again, tell the operator of this server: the log has the error.',
    { cause },
  );
}

function isOfProvider(failure: LoginFailure): failure is keyof typeof OUTCOMES {
  return failure in OUTCOMES;
}
