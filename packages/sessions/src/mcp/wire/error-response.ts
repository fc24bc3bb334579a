import { SessionError, type SessionErrorCode } from '../../errors.js';

/** JSON-RPC codes of errors that are answered before the protocol sees the request. */
export const ErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  invalidParams: -32602,
  internal: -32603,
  sessionRequired: -32000,
  sessionNotFound: -32001,
  serverBusy: -32000,
  connectionClosed: -32000,
} as const;

export interface ErrorResponseOptions {
  readonly headers?: Record<string, string>;
  /** The id of the request, where it is known and matters. */
  readonly id?: unknown;
}

/** An error as HTTP and JSON-RPC carry it. */
export function errorResponse(
  status: number,
  code: number,
  message: string,
  { headers = {}, id = null }: ErrorResponseOptions = {},
): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id }, { status, headers });
}

/** Errors that pass, and the status that says so. */
const TRANSIENT_STATUS: ReadonlyMap<SessionErrorCode, number> = new Map([
  ['limit_reached', 503],
  ['store_unavailable', 503],
  ['too_many_requests', 429],
]);

const REFUSALS: ReadonlySet<SessionErrorCode> = new Set(['limit_reached', 'too_many_requests']);

/** What a client is told when serving its request threw. */
export function jsonRpcErrorOf(error: unknown): { readonly code: number; readonly message: string } {
  return isTransient(error)
    ? { code: ErrorCode.serverBusy, message: error.message }
    : {
        code: ErrorCode.internal,
        message: 'The server made a mistake. Try again; if it stays so, tell its operator.',
      };
}

/** The same, as HTTP carries it. */
export function errorResponseOf(error: unknown): Response {
  const { code, message } = jsonRpcErrorOf(error);
  if (!isTransient(error)) return errorResponse(500, code, message);
  return errorResponse(TRANSIENT_STATUS.get(error.code) ?? 503, code, message, {
    headers: { 'retry-after': String(error.retryAfterSeconds ?? 60) },
  });
}

/** Whether an error is a limit at work, and no fault: whoever reached it is told. */
export function isLimitReached(error: unknown): boolean {
  return error instanceof SessionError && REFUSALS.has(error.code);
}

function isTransient(error: unknown): error is SessionError {
  return error instanceof SessionError && TRANSIENT_STATUS.has(error.code);
}
