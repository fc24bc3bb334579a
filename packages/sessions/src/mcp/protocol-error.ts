import { SessionError } from '../errors.js';

/** JSON-RPC codes of errors that are answered before the protocol sees the request. */
export const ErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  invalidParams: -32602,
  internal: -32603,
  sessionRequired: -32000,
  sessionNotFound: -32001,
  serverBusy: -32000,
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

const BUSY: ReadonlySet<string> = new Set(['limit_reached', 'store_unavailable']);

/** What a client is told when serving its request threw. */
export function thrownError(error: unknown): { readonly code: number; readonly message: string } {
  return isBusy(error)
    ? { code: ErrorCode.serverBusy, message: error.message }
    : {
        code: ErrorCode.internal,
        message: 'The server made a mistake. Try again; if it stays so, tell its operator.',
      };
}

/** The same, as HTTP carries it. */
export function thrownResponse(error: unknown): Response {
  const { code, message } = thrownError(error);
  if (!isBusy(error)) return errorResponse(500, code, message);
  return errorResponse(503, code, message, {
    headers: { 'retry-after': String(error.retryAfterSeconds ?? 60) },
  });
}

function isBusy(error: unknown): error is SessionError {
  return error instanceof SessionError && BUSY.has(error.code);
}
