import { SessionError, type SessionErrorCode } from '../../errors.js';

/** The JSON-RPC error codes of this server. */
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
  /** The id of the request. Default: `null`, as JSON-RPC requires for an unknown id. */
  readonly id?: unknown;
}

export interface JsonRpcError {
  readonly code: number;
  readonly message: string;
}

/** A JSON-RPC error in an HTTP response. */
export function errorResponse(
  status: number,
  code: number,
  message: string,
  { headers = {}, id = null }: ErrorResponseOptions = {},
): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id }, { status, headers });
}

/** The message of an error whose cause is not for clients. */
export const UNEXPECTED_ERROR =
  'The server failed to process the request. Try again. If it fails again, tell the operator of this server: the log has the error.';

/** The HTTP status of errors that a later retry may avoid. */
const TRANSIENT_STATUS: ReadonlyMap<SessionErrorCode, number> = new Map([
  ['limit_reached', 503],
  ['store_unavailable', 503],
  ['too_many_requests', 429],
]);

const LIMIT_ERRORS: ReadonlySet<SessionErrorCode> = new Set(['limit_reached', 'too_many_requests']);

/** The JSON-RPC error for an error that was thrown while a request was served. Hides what is not for clients. */
export function jsonRpcErrorOf(error: unknown): JsonRpcError {
  return isTransient(error)
    ? { code: ErrorCode.serverBusy, message: error.message }
    : {
        code: ErrorCode.internal,
        message: UNEXPECTED_ERROR,
      };
}

/** The HTTP response for an error that was thrown while a request was served. */
export function errorResponseOf(error: unknown): Response {
  const { code, message } = jsonRpcErrorOf(error);
  if (!isTransient(error)) return errorResponse(500, code, message);
  return errorResponse(TRANSIENT_STATUS.get(error.code) ?? 503, code, message, {
    headers: { 'retry-after': String(error.retryAfterSeconds ?? 60) },
  });
}

/** Whether an error means that a client reached a limit, which is not a fault of the server. */
export function isLimitReached(error: unknown): boolean {
  return error instanceof SessionError && LIMIT_ERRORS.has(error.code);
}

function isTransient(error: unknown): error is SessionError {
  return error instanceof SessionError && TRANSIENT_STATUS.has(error.code);
}

const RECONNECT =
  'For the client: send `initialize` without `Mcp-Session-Id`. For its user: reconnect this server in the client, or restart the client.';
/** The texts address both the client and the user, because clients show them to their users. */
const SESSION_NOT_FOUND = {
  ended: `Session not found: it has ended, or this server was restarted. ${RECONNECT}`,
  elsewhere: `Session not found: another server has it, or had it before a restart. ${RECONNECT}`,
};

/** The response to a request on a connection that never existed, has ended, or belongs to another process. */
export function sessionNotFound(why: keyof typeof SESSION_NOT_FOUND = 'ended'): Response {
  return errorResponse(404, ErrorCode.sessionNotFound, SESSION_NOT_FOUND[why]);
}

const SERVER_CLOSING: JsonRpcError = {
  code: ErrorCode.serverBusy,
  message: 'This server is closing. Try again in 10 seconds.',
};

/** The response to a request that arrives, or is cut off, while the server closes. */
export function serverClosing(id?: unknown): Response {
  const { code, message } = SERVER_CLOSING;
  return errorResponse(503, code, message, { id, headers: { 'retry-after': '10' } });
}

/** The maximum number of requests of one 2025 connection, or one 2026 session, that are served at a time. */
export const MAX_REQUESTS_IN_FLIGHT = 100;

/** The response to a request above that limit. */
export function tooManyInFlight(id?: unknown): Response {
  return errorResponse(
    503,
    ErrorCode.serverBusy,
    `No more than ${MAX_REQUESTS_IN_FLIGHT} requests of a session are served at a time. Wait for some to be answered.`,
    { id, headers: { 'retry-after': '1' } },
  );
}
