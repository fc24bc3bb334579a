import {
  createSessions,
  type RegisterTools,
  type Sessions,
  type SessionsOptions,
} from '../../packages/sessions/src/index.js';
import { JSON_HEADERS, messageOf, type RawRequest, type RpcMessage, request2026 } from './raw-mcp.js';

const MCP = 'http://127.0.0.1:3000/mcp';

/** A server whose provider gets no requests, for tests without a login. */
export function createBareServer(tools: RegisterTools, options: Partial<SessionsOptions> = {}): Sessions {
  return createSessions({
    server: { name: 'bare', version: '1.0.0' },
    providers: { issuer: 'http://127.0.0.1:9', clientId: 'bare', scopes: ['openid'] },
    publicUrl: new URL(MCP).origin,
    lifetimes: { shutdownDrainMs: 0 },
    tools,
    ...options,
  });
}

/** Sends messages to a server without a network. */
export interface RawClient {
  readonly era: '2025' | '2026';
  /** Sends a raw request. @returns the raw response */
  post(body: string, more?: { signal?: AbortSignal }): Promise<Response>;
  /** Sends a JSON-RPC request. */
  ask(method: string, params: Record<string, unknown>, id?: number): Promise<RpcMessage>;
}

/** A connection of the 2025-11-25 revision. */
export async function rawClient2025(
  server: Pick<Sessions, 'handleRequest'>,
): Promise<RawClient & { secret: string }> {
  const clientInfo = { name: 'raw', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const started = await fetchFrom(server, { headers: JSON_HEADERS, body });
  await started.text();
  const secret = started.headers.get('mcp-session-id') ?? '';
  const headers = { ...JSON_HEADERS, 'mcp-session-id': secret, 'mcp-protocol-version': '2025-11-25' };
  const post: RawClient['post'] = (text, more) => fetchFrom(server, { headers, body: text }, more);
  return {
    era: '2025',
    secret,
    post,
    ask: async (method, asked, id = 1) =>
      messageIn(await post(JSON.stringify({ jsonrpc: '2.0', id, method, params: asked }))),
  };
}

/** A client of the 2026-07-28 revision. */
export function rawClient2026(server: Pick<Sessions, 'handleRequest'>): RawClient {
  return {
    era: '2026',
    post: (body, more) => {
      const { method, params } = JSON.parse(body);
      const { headers } = request2026(method, params);
      return fetchFrom(server, { headers: headers ?? {}, body }, more);
    },
    ask: async (method, params, id = 1) =>
      messageIn(await fetchFrom(server, request2026(method, params, { id }))),
  };
}

/** The JSON-RPC message in a response. */
export async function messageIn(response: Response): Promise<RpcMessage> {
  const headers = { 'content-type': response.headers.get('content-type') ?? '' };
  return messageOf({ status: response.status, headers, text: await response.text() });
}

function fetchFrom(
  server: Pick<Sessions, 'handleRequest'>,
  { headers, body }: RawRequest,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Response> {
  const request = { method: 'POST', headers: { ...headers }, body: body ?? '', ...(signal && { signal }) };
  return server.handleRequest(new Request(MCP, request));
}
