import type { ProviderFailure } from '../session/provider-failures.js';

/** What an error of the network says about a failure. */
export type NetworkFailure = Pick<ProviderFailure, 'reason' | 'outcome' | 'code' | 'status'>;

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
const NOT_RESOLVED = /^(ENOTFOUND|EAI_)/;
/** Codes of failed TLS handshakes. */
const NO_HANDSHAKE = /^(ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;
/** Those of certificates. */
const NOT_TRUSTED = /^(ERR_TLS_CERT|CERT_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** Only this message distinguishes a connection that closed during the handshake from one that closed later. */
const CUT_HANDSHAKE = 'Client network socket disconnected before secure TLS connection was established';

/** `fetch` refuses ports of other protocols (Fetch Standard, "bad port"), and only this message says so. */
const BAD_PORT = 'bad port';

/** Classifies an error of the network. @returns `undefined` for other errors */
export function networkFailureOf(error: unknown): NetworkFailure | undefined {
  const notSent = inChain(error, isNotSent);
  if (notSent) return { ...networkReasonOf(notSent), outcome: 'unavailable' };
  const cut = inChain(error, isCut);
  if (!cut) return undefined;
  const code = codeIn(error);
  return {
    reason: isTimeout(error) ? 'timeout' : 'connection_lost',
    outcome: 'lost',
    ...(code !== undefined && { code }),
  };
}

/** Of an error before the request was sent. */
function networkReasonOf(error: Error): Omit<NetworkFailure, 'outcome'> {
  const refusal = proxyRefusalIn(error);
  if (refusal) return { reason: 'connection_failed', ...refusal };
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  const code = codeIn(first) ?? codeIn(error);
  const named = code !== undefined && { code };
  if (code !== undefined && NOT_TRUSTED.test(code)) return { reason: 'certificate_untrusted', ...named };
  if ((code !== undefined && NO_HANDSHAKE.test(code)) || error.message === CUT_HANDSHAKE)
    return { reason: 'tls_failed', ...named };
  const isUnresolved = code !== undefined && NOT_RESOLVED.test(code);
  return { reason: isUnresolved ? 'name_not_resolved' : 'connection_failed', ...named };
}

/** The code of the innermost error that has one. */
function codeIn(error: unknown): string | undefined {
  let found: string | undefined;
  for (let current = error; current instanceof Error; current = current.cause) {
    const code = textIn(current, 'code');
    if (code !== '' && !code.startsWith('OAUTH_')) found = code;
  }
  return found;
}

function isNotSent(error: Error): error is Error {
  if (error instanceof AggregateError) return error.errors.every((inner) => inChain(inner, isNotSent));
  if (proxyRefusalIn(error)) return true;
  const code = textIn(error, 'code');
  if (NO_HANDSHAKE.test(code) || error.message === CUT_HANDSHAKE || error.message === BAD_PORT) return true;
  const syscall = textIn(error, 'syscall');
  return syscall === '' ? NOT_SENT.has(code) : BEFORE_SENDING.has(syscall);
}

/** The response of a proxy to CONNECT (RFC 9110 section 9.3.6), which undici puts into a message only. */
const PROXY_REFUSAL = /^Proxy response \((\d{3})\)/;

function proxyRefusalIn(error: Error): Pick<NetworkFailure, 'code' | 'status'> | undefined {
  const status = PROXY_REFUSAL.exec(error.message)?.[1];
  return status === undefined ? undefined : { code: textIn(error, 'code'), status: Number(status) };
}

function textIn(error: Error & { code?: unknown; syscall?: unknown }, name: 'code' | 'syscall'): string {
  const value = error[name];
  return typeof value === 'string' ? value : '';
}

/** Whether the connection broke, or a deadline passed. */
function isCut(error: Error): error is Error {
  return error instanceof TypeError || error.name === 'TimeoutError' || error.name === 'AbortError';
}

function isTimeout(error: unknown): boolean {
  return inChain(error, isDeadline) !== undefined;
}

function isDeadline(error: Error): error is Error {
  return error.name === 'TimeoutError' || /^UND_ERR_(HEADERS|BODY)_TIMEOUT$/.test(textIn(error, 'code'));
}

/** The first error of a chain of causes that fits. */
export function inChain<T extends Error>(error: unknown, fits: (cause: Error) => cause is T): T | undefined {
  for (let current = error; current instanceof Error; current = current.cause) {
    if (fits(current)) return current;
  }
  return undefined;
}
