/** A complete answer: status 200 and JSON, or 202 without a body. */
export interface PlainAnswer {
  readonly json: string | undefined;
  /** The response has begun: nothing is to be sent. */
  readonly isSent?: true;
  /** The id of the connection that the request has opened. */
  readonly sessionId?: string;
}

/** The answer to a GET whose stream is open. */
export const STREAMED: PlainAnswer = { json: undefined, isSent: true };

/** The answer to a message that needs none. */
export const ACCEPTED: PlainAnswer = { json: undefined };

export function isPlainAnswer(answer: PlainAnswer | Response): answer is PlainAnswer {
  return !(answer instanceof Response);
}

/** The status and the headers of an answer. */
export function headOf({ json, sessionId }: PlainAnswer): {
  readonly status: number;
  readonly headers: Record<string, string>;
} {
  if (json === undefined) return { status: 202, headers: {} };
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (sessionId !== undefined) headers['mcp-session-id'] = sessionId;
  return { status: 200, headers };
}

/** The answer as a response. */
export function responseOf(answer: PlainAnswer | Response): Response {
  return isPlainAnswer(answer) ? new Response(answer.json ?? null, headOf(answer)) : answer;
}
