import { setTimeout as sleep } from 'node:timers/promises';
import {
  call2025,
  initialize,
  JSON_HEADERS,
  messageOf,
  type RawAnswer,
  type RawRequest,
  request2026,
  send,
} from '../support/raw-mcp.js';
import { NODE_HEADER } from './balancer.js';
import type { Outcome } from './ledger.js';

/** What a client received for a request. */
export interface Reply {
  readonly fromMs: number;
  readonly toMs: number;
  readonly node: string | undefined;
  readonly status: number;
  readonly text: string;
  readonly outcome: Outcome | 'unknown connection';
  /** The result of a tool, if there is one. */
  readonly structured: Readonly<Record<string, unknown>>;
  readonly isError: boolean;
}

/** The connection of a client to the MCP endpoint. */
export interface Wire {
  /** The id of the connection, or the handle. */
  readonly secret: string;
  readonly node: string | undefined;
  call(tool: string): Promise<Reply>;
}

/** A 2026 client. It sends the handle that `login` returns with every call. */
export function wire2026(mcp: string): Wire {
  let secret = '';
  return {
    get secret() {
      return secret;
    },
    node: undefined,
    async call(tool) {
      const named = secret ? { session: secret } : {};
      const reply = await replyTo(mcp, request2026('tools/call', { name: tool, arguments: named }));
      const { session } = reply.structured;
      if (tool === 'login' && typeof session === 'string') secret = session;
      return reply;
    },
  };
}

/** A 2025 client, connected. @returns the reply to `initialize` if it is not connected */
export async function wire2025(mcp: string): Promise<Wire | Reply> {
  const { answer, reply } = await timed(() => initialize(mcp));
  const secret = answer?.headers['mcp-session-id'];
  if (typeof secret !== 'string') return reply;
  const headers = { ...JSON_HEADERS, 'mcp-session-id': secret };
  const { node } = reply;
  let id = 0;
  return {
    secret,
    node,
    call: (tool) => replyTo(mcp, { method: 'POST', headers, body: call2025(tool, {}, ++id) }),
  };
}

async function replyTo(mcp: string, request: RawRequest): Promise<Reply> {
  return (await timed(() => send(mcp, request))).reply;
}

async function timed(ask: () => Promise<RawAnswer>): Promise<{ answer?: RawAnswer; reply: Reply }> {
  const fromMs = Date.now();
  const empty = { node: undefined, status: 0, structured: {}, isError: false } as const;
  try {
    const answer = await ask();
    const { status, text, headers } = answer;
    const node = headers[NODE_HEADER]?.toString();
    const reply = { ...empty, fromMs, toMs: Date.now(), node, status, text };
    return { answer, reply: { ...reply, ...meaningOf(answer) } };
  } catch (error) {
    return { reply: { ...empty, fromMs, toMs: Date.now(), text: String(error), outcome: 'broken' } };
  }
}

function meaningOf(answer: RawAnswer): Pick<Reply, 'outcome'> & Partial<Reply> {
  const { status, headers, text } = answer;
  if (status === 503 && headers['retry-after'] !== undefined) return { outcome: 'unavailable' };
  if (status === 502) return { outcome: 'broken' };
  if (status === 404) return { outcome: 'unknown connection' };
  if (status !== 200) return { outcome: 'failed', text: `${status} ${text}` };
  const { result, error } = messageOf(answer);
  if (!result) return { outcome: 'failed', text: `${error?.message}` };
  const content = result.content.map((each) => each.text ?? '').join('\n');
  const { isError, structuredContent: structured } = result;
  return { outcome: isError ? outcomeOf(content) : 'answered', text: content, structured, isError };
}

/** What an error of a tool means. The text of the others tells the model to log in. */
function outcomeOf(text: string): Outcome {
  if (text.includes('The session store did not answer')) return 'unavailable';
  if (text.startsWith('The access token has expired, and the provider')) return 'not renewed';
  return /call (the )?`login`/i.test(text) ? 'answered' : 'failed';
}

/** A pause before the next request. */
export function pause(durationMs: number): Promise<void> {
  return sleep(durationMs);
}
