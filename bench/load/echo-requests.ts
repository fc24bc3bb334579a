import { request2026 } from '../http-client.js';

/** The protocol era of requests. */
export type Era = '2025' | '2026';

/** A request that calls a tool, and the text that its answer contains. */
export interface EchoRequest {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly text: string;
}

const TEXT_CHARACTERS = 64;

/**
 * A call with a text of its own, so that an answer to another session is noticed.
 * @param id the session's id: of the connection in 2025, the handle in 2026. Absent: the server has no sessions
 */
export function echoRequest(era: Era, tool: string, id: string | undefined, number: number): EchoRequest {
  const text = `${number}`.padStart(TEXT_CHARACTERS, '.');
  if (era === '2026') {
    const [body, headers] = request2026('tools/call', {
      name: tool,
      arguments: { text, ...(id !== undefined && { session: id }) },
    });
    return { headers, body, text };
  }
  const params = { name: tool, arguments: { text } };
  return {
    headers: { 'mcp-protocol-version': '2025-11-25', ...(id !== undefined && { 'mcp-session-id': id }) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
    text,
  };
}

/** Whether an answer is the result of a call: its body as JSON, or as an event. */
export function isEchoed(status: number, body: string, text: string): boolean {
  return status === 200 && body.includes(`"text":"${text}"`) && !body.includes('"isError":true');
}
