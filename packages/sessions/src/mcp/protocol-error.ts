import { SessionError } from '../errors.js';

/** JSON-RPC codes of errors that are answered before the protocol sees the request. */
export const ErrorCode = {
  parse: -32700,
  invalidRequest: -32600,
  internal: -32603,
  sessionRequired: -32000,
  sessionNotFound: -32001,
  serverBusy: -32000,
} as const;

/** An error as HTTP and JSON-RPC carry it, for a request whose id is not known or does not matter. */
export function errorResponse(
  status: number,
  code: number,
  message: string,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ jsonrpc: '2.0', error: { code, message }, id: null }, { status, headers });
}

const BUSY: ReadonlySet<string> = new Set(['limit_reached', 'store_unavailable']);

/** What a client is told when serving its request threw. */
export function thrownResponse(error: unknown): Response {
  const isBusy = error instanceof SessionError && BUSY.has(error.code);
  if (isBusy) {
    const retryAfter = String(error.retryAfterSeconds ?? 60);
    return errorResponse(503, ErrorCode.serverBusy, error.message, { 'retry-after': retryAfter });
  }
  return errorResponse(
    500,
    ErrorCode.internal,
    'The server made a mistake. Try again; if it stays so, tell its operator.',
  );
}
