import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { retryAfterSecondsOf, TokenEndpointError } from './token-answers.js';

/**
 * Why a request to a provider failed.
 *
 * - `denied`: the user or the provider denied the login (RFC 6749 section 4.1.2.1).
 * - `grant_revoked`: the code or refresh token is not valid any more.
 * - `unavailable`: the provider did nothing; the request may be repeated.
 * - `lost`: the provider may have carried the request out, and its response was lost.
 * - `refused`: the provider rejected the request; repeating it at once does not help.
 */
export interface ProviderFailure {
  readonly kind: 'denied' | 'grant_revoked' | 'unavailable' | 'lost' | 'refused';
  readonly retryAfterSeconds: number | undefined;
}

/** System calls before a request is sent. */
const BEFORE_SENDING = new Set(['connect', 'getaddrinfo']);
/** Codes of errors before a request is sent, for errors without a system call. */
const NOT_SENT = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EAI_FAIL',
  'EADDRNOTAVAIL',
  'EMFILE',
  'ENETDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** Codes of failed TLS handshakes. */
const NOT_TRUSTED = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** Only this message distinguishes a connection that closed during the handshake from one that closed later. */
const CUT_HANDSHAKE = 'Client network socket disconnected before secure TLS connection was established';

/** Classifies an error of openid-client, or a response of the token endpoint. */
export function providerFailure(error: unknown): ProviderFailure {
  const answered = tokenAnswerIn(error);
  if (answered) return failure(answered.outcome, answered.retryAfterSeconds);
  if (error instanceof AuthorizationResponseError) {
    return failure(error.error === 'access_denied' ? 'denied' : 'refused');
  }
  if (error instanceof ResponseBodyError) return byStatus(error.response);
  if (error instanceof ClientError && error.cause instanceof Response) return byStatus(error.cause);
  if (inChain(error, isNotSent)) return failure('unavailable');
  if (inChain(error, isCut)) return failure('lost');
  return failure(error instanceof ClientError ? 'refused' : 'lost');
}

/** The response of the token endpoint that caused an error, if any. */
export function tokenAnswerIn(error: unknown): TokenEndpointError | undefined {
  return inChain(error, isAnswer);
}

function byStatus(response: Response): ProviderFailure {
  const { status } = response;
  if (status === 429 || status >= 500) return failure('unavailable', retryAfterSecondsOf(response));
  return failure(response.ok ? 'lost' : 'refused');
}

function failure(kind: ProviderFailure['kind'], retryAfterSeconds?: number): ProviderFailure {
  return { kind, retryAfterSeconds };
}

function isNotSent(error: Error): error is Error {
  if (error instanceof AggregateError) return error.errors.every((inner) => inChain(inner, isNotSent));
  const code = textIn(error, 'code');
  if (NOT_TRUSTED.test(code) || error.message === CUT_HANDSHAKE) return true;
  const syscall = textIn(error, 'syscall');
  return syscall === '' ? NOT_SENT.has(code) : BEFORE_SENDING.has(syscall);
}

function textIn(error: Error & { code?: unknown; syscall?: unknown }, name: 'code' | 'syscall'): string {
  const value = error[name];
  return typeof value === 'string' ? value : '';
}

/** Whether the connection broke, or a deadline passed. */
function isCut(error: Error): error is Error {
  return error instanceof TypeError || error.name === 'TimeoutError' || error.name === 'AbortError';
}

function inChain<T extends Error>(error: unknown, fits: (cause: Error) => cause is T): T | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (fits(current)) return current;
  }
  return undefined;
}

function isAnswer(error: Error): error is TokenEndpointError {
  return error instanceof TokenEndpointError;
}
