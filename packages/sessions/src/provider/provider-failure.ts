import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';

/**
 * What went wrong between us and a provider.
 *
 * - `denied`: the user or the provider said no to the login (RFC 6749 section 4.1.2.1).
 * - `grant_revoked`: the code or refresh token is no longer good.
 * - `unavailable`: nothing was done; it may be tried again.
 * - `lost`: the request may have been carried out, and its answer is gone.
 * - `refused`: an answer that trying again will not change.
 */
export interface ProviderFailure {
  readonly kind: 'denied' | 'grant_revoked' | 'unavailable' | 'lost' | 'refused';
  readonly retryAfterSeconds: number | undefined;
}

/** Errors of a connection that was never made: the request has not been sent. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

const MAX_RETRY_AFTER_SECONDS = 3600;

/** Reads what openid-client threw. */
export function providerFailure(error: unknown): ProviderFailure {
  if (error instanceof AuthorizationResponseError) {
    return failure(error.error === 'access_denied' ? 'denied' : 'refused');
  }
  if (error instanceof ResponseBodyError) {
    return error.error === 'invalid_grant' ? failure('grant_revoked') : byStatus(error.response, 'refused');
  }
  if (error instanceof ClientError) {
    if (error.cause instanceof Response) return byStatus(error.cause, 'grant_revoked');
    return failure(error.code === 'OAUTH_TIMEOUT' || error.code === 'OAUTH_ABORT' ? 'lost' : 'refused');
  }
  return failure(isNotSent(error) ? 'unavailable' : 'lost');
}

/** @param otherwise what a 400 or 401 means here */
function byStatus(response: Response, otherwise: 'grant_revoked' | 'refused'): ProviderFailure {
  const { status } = response;
  if (status === 429 || status >= 500) return failure('unavailable', retryAfterSeconds(response));
  if (status === 400) return failure(otherwise);
  return failure(response.ok ? 'lost' : 'refused');
}

function failure(kind: ProviderFailure['kind'], retryAfter?: number): ProviderFailure {
  return { kind, retryAfterSeconds: retryAfter };
}

/** RFC 9110 section 10.2.3, in seconds or as a date. */
function retryAfterSeconds(response: Response): number | undefined {
  const value = response.headers.get('retry-after');
  if (!value) return undefined;
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return Number.isFinite(seconds)
    ? Math.min(Math.max(Math.ceil(seconds), 0), MAX_RETRY_AFTER_SECONDS)
    : undefined;
}

function isNotSent(error: unknown): boolean {
  for (let current = error; current instanceof Error; current = current.cause) {
    if ('code' in current && typeof current.code === 'string' && NOT_SENT.has(current.code)) return true;
    if (current instanceof AggregateError) return current.errors.every(isNotSent);
  }
  return false;
}
