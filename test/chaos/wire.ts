import { setTimeout as sleep } from 'node:timers/promises';
import { SESSION_META_KEY, STATUS_URI } from 'mcp-sessions';
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
import { openStream, type StatusStream, type StreamMessage } from './status-stream.js';

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
  readonly sinceMs: number;
  call(tool: string): Promise<Reply>;
  /** Opens a stream that tells of changes of the status. @returns `undefined` if the server opens none */
  listen(onUpdate: () => void): Promise<StatusStream | undefined>;
}

/** A 2026 client. It sends the handle that `login` returns with every call. */
export function wire2026(mcp: string): Wire {
  let secret = '';
  return {
    get secret() {
      return secret;
    },
    node: undefined,
    sinceMs: Date.now(),
    async call(tool) {
      const named = secret ? { session: secret } : {};
      const reply = await replyTo(mcp, request2026('tools/call', { name: tool, arguments: named }));
      const { session } = reply.structured;
      if (tool === 'login' && typeof session === 'string') secret = session;
      return reply;
    },
    listen(onUpdate) {
      const params = { notifications: { resourceSubscriptions: [STATUS_URI] } };
      const { method, headers, body } = request2026('subscriptions/listen', params, {
        meta: { [SESSION_META_KEY]: secret },
      });
      const init = { method: method ?? 'POST', headers: { ...headers }, body: body ?? '' };
      return openStream(mcp, init, (message) => isUpdate(message) && onUpdate());
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
  const post = (body: object) =>
    send(mcp, { method: 'POST', headers, body: JSON.stringify(body) }).catch(() => undefined);
  return {
    secret,
    node,
    sinceMs: reply.fromMs,
    call: (tool) => replyTo(mcp, { method: 'POST', headers, body: call2025(tool, {}, ++id) }),
    async listen(onUpdate) {
      await post({ jsonrpc: '2.0', id: ++id, method: 'resources/subscribe', params: { uri: STATUS_URI } });
      return openStream(mcp, { headers }, (message) => {
        if (isUpdate(message)) onUpdate();
        // A client that does not answer pings does not count as present.
        if (message.method === 'ping') void post({ jsonrpc: '2.0', id: message.id, result: {} });
      });
    },
  };
}

const isUpdate = ({ method }: StreamMessage) => method === 'notifications/resources/updated';

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
  if (!result) {
    const text = `${error?.message}`;
    return { outcome: text.startsWith('The connection ended') ? 'connection ended' : 'failed', text };
  }
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
