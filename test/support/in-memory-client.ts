import { z } from 'zod';
import type { Sessions } from '../../packages/sessions/src/index.js';
import type { OpenAddress } from './eliciting-clients.js';
import { messageOf, type RawRequest, type RpcMessage, request2026, type ToolAnswer } from './raw-mcp.js';

type Result = NonNullable<RpcMessage['result']>;

/** A client that reaches a server without a network in between. */
export interface InMemoryClient {
  readonly era: '2025' | '2026';
  /** Calls a tool, and goes on with the call as long as the server asks for more. */
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  listTools(): Promise<unknown>;
}

const MCP = 'http://127.0.0.1:3000/mcp';
const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const elicitationSchema = z.object({ params: z.object({ message: z.string(), url: z.string() }) });

async function post(sessions: Pick<Sessions, 'fetch'>, { headers, body }: RawRequest): Promise<RpcMessage> {
  const request = new Request(MCP, { method: 'POST', headers: { ...headers }, body: body ?? '' });
  const response = await sessions.fetch(request);
  const type = response.headers.get('content-type') ?? '';
  return messageOf({
    status: response.status,
    headers: { 'content-type': type },
    text: await response.text(),
  });
}

function toolAnswer({ isError, content, structuredContent: structured }: Result): ToolAnswer {
  return { isError, text: content.map(({ text }) => text ?? '').join('\n'), structured };
}

function resultOf({ result, error }: RpcMessage): Result {
  if (result) return result;
  throw new Error(`${error?.code}: ${error?.message}`);
}

const cannotOpen: OpenAddress = async () => 'cancel';

/** Connects a client of the 2025-11-25 revision. It cannot be asked to open addresses. */
export async function inMemory2025(
  sessions: Pick<Sessions, 'fetch'>,
): Promise<InMemoryClient & { end(): Promise<unknown> }> {
  let calls = 0;
  const message = (method: string, params: object) =>
    JSON.stringify({ jsonrpc: '2.0', id: ++calls, method, params });
  const clientInfo = { name: 'transcript', version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  const opening = { method: 'POST', headers: JSON_HEADERS, body: message('initialize', params) };
  const response = await sessions.fetch(new Request(MCP, opening));
  const headers = { ...JSON_HEADERS, 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
  await response.text();
  const ask = async (method: string, asked: object) =>
    resultOf(await post(sessions, { headers, body: message(method, asked) }));
  return {
    era: '2025',
    call: async (tool, args = {}) => toolAnswer(await ask('tools/call', { name: tool, arguments: args })),
    listTools: () => ask('tools/list', {}),
    end: () => sessions.fetch(new Request(MCP, { method: 'DELETE', headers })),
  };
}

/** A client of the 2026-07-28 revision. With `answer`, it can be asked to open addresses. */
export function inMemory2026(
  sessions: Pick<Sessions, 'fetch'>,
  answer: OpenAddress = cannotOpen,
): InMemoryClient {
  const capabilities = answer === cannotOpen ? {} : { elicitation: { url: {} } };
  const ask = async (method: string, params: Record<string, unknown>) =>
    resultOf(await post(sessions, request2026(method, params, { capabilities })));
  const call = async (tool: string, args: Record<string, unknown>, more: object = {}): Promise<Result> => {
    const result = await ask('tools/call', { name: tool, arguments: args, ...more });
    const { requestState, inputRequests } = result;
    if (result.resultType !== 'input_required') return result;
    if (!inputRequests) return call(tool, args, { requestState });
    const { params } = elicitationSchema.parse(inputRequests.login);
    const action = await answer(params);
    return call(tool, args, { requestState, inputResponses: { login: { action } } });
  };
  return {
    era: '2026',
    call: async (tool, args = {}) => toolAnswer(await call(tool, args)),
    listTools: () => ask('tools/list', {}),
  };
}
