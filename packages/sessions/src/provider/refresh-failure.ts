import type { RefreshOutcome } from '../account/refresh/granted-tokens.js';
import type { ProviderError } from '../session/provider-failures.js';

/**
 * The outcome of a refresh that failed.
 * @param wasSent whether the refresh token was sent. Without metadata, it was not
 */
export function failedRefresh(cause: ProviderError, wasSent: boolean): RefreshOutcome {
  const { outcome, retryAfterSeconds } = cause.failure;
  if (!wasSent) {
    const kind = cause.code === 'provider_unavailable' ? 'unavailable' : 'refused';
    return { kind, retryAfterSeconds: undefined, cause };
  }
  switch (outcome) {
    case 'grant_revoked':
      return { kind: outcome };
    case 'lost':
      return { kind: outcome, cause };
    case 'unavailable':
      return { kind: outcome, retryAfterSeconds, cause };
    case 'denied':
    case 'refused':
      return { kind: 'refused', retryAfterSeconds, cause };
  }
}
