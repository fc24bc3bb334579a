import type { IncomingMessage } from 'node:http';
import { z } from 'zod';
import type { Sessions } from '../../packages/sessions/src/index.js';
import type { OpenAddress } from './eliciting-clients.js';
import { messageOf, type RawRequest, type RpcMessage, request2026, type ToolAnswer } from './raw-mcp.js';

type Result = NonNullable<RpcMessage['result']>;
type Server = Pick<Sessions, 'handleRequest'>;
interface ClientInfo {
  readonly name: string;
  readonly version: string;
}

/** A client of a server without a network. */
export interface InMemoryClient {
  readonly era: '2025' | '2026';
  /** Calls a tool, and answers requests for input until the call completes. */
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
  listTools(): Promise<unknown>;
  /** Sends another request. @throws Error with the code and message of an error response */
  request(method: string, params: Record<string, unknown>): Promise<Result>;
  /** The description of the server. */
  instructions(): Promise<string>;
}

/** A server for requests from an address. Without it, requests have an unknown address. */
export function reachedFrom(server: Server, remoteAddress: string): Server {
  const socket = { localAddress: '127.0.0.1', remoteAddress };
  return {
    handleRequest: (request) => {
      // The part of a Node request that the server reads.
      const { pathname, search } = new URL(request.url);
      const incoming = { socket, url: `${pathname}${search}`, headers: {} } as IncomingMessage;
      return server.handleRequest(request, { incoming });
    },
  };
}

const MCP = 'http://127.0.0.1:3000/mcp';
const CLIENT_INFO: ClientInfo = { name: 'transcript', version: '1' };
const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const elicitationSchema = z.object({ params: z.object({ message: z.string(), url: z.string() }) });
const questionSchema = elicitationSchema.extend({ id: z.unknown(), method: z.literal('elicitation/create') });
const introductionSchema = z.looseObject({ instructions: z.string() });

function send(server: Server, { headers, body }: RawRequest): Promise<Response> {
  return server.handleRequest(
    new Request(MCP, { method: 'POST', headers: { ...headers }, body: body ?? '' }),
  );
}

async function post(server: Server, request: RawRequest): Promise<RpcMessage> {
  const response = await send(server, request);
  return rpcMessageOf(await response.text(), response);
}

function rpcMessageOf(text: string, { status, headers }: Response): RpcMessage {
  return messageOf({ status, headers: { 'content-type': headers.get('content-type') ?? '' }, text });
}

function toolAnswer({ isError, content, structuredContent: structured }: Result): ToolAnswer {
  return { isError, text: content.map(({ text }) => text ?? '').join('\n'), structured };
}

function resultOf({ result, error }: RpcMessage): Result {
  if (result) return result;
  throw new Error(`${error?.code}: ${error?.message}`);
}

const cannotOpen: OpenAddress = async () => 'cancel';

const capabilitiesOf = (answer: OpenAddress) => (answer === cannotOpen ? {} : { elicitation: { url: {} } });

/** What a client with a connection can do besides. */
interface Connected {
  /** Opens the standalone stream. */
  listen(): Promise<Response>;
  end(): Promise<unknown>;
}

/** Connects a 2025-11-25 client. With `answer`, it supports URL elicitation. */
export async function inMemory2025(
  server: Server,
  answer: OpenAddress = cannotOpen,
  clientInfo: ClientInfo = CLIENT_INFO,
): Promise<InMemoryClient & Connected> {
  let calls = 0;
  const message = (method: string, params: object) =>
    JSON.stringify({ jsonrpc: '2.0', id: ++calls, method, params });
  const params = { protocolVersion: '2025-11-25', capabilities: capabilitiesOf(answer), clientInfo };
  const response = await send(server, { headers: JSON_HEADERS, body: message('initialize', params) });
  const headers = { ...JSON_HEADERS, 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
  const introduction = resultOf(rpcMessageOf(await response.text(), response));
  const answerIfAsked = async (event: string) => {
    const { data } = questionSchema.safeParse(JSON.parse(/^data: ?(.+)$/m.exec(event)?.[1] ?? 'null'));
    if (!data) return;
    const outcome = await answer(data.params).then(
      (action) => ({ result: { action } }),
      ({ message }: Error) => ({ error: { code: -32603, message } }),
    );
    await send(server, { headers, body: JSON.stringify({ jsonrpc: '2.0', id: data.id, ...outcome }) });
  };
  const ask = async (method: string, asked: object) => {
    const response = await send(server, { headers, body: message(method, asked) });
    let text = '';
    let unread = '';
    for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
      text += part;
      const events = `${unread}${part}`.split('\n\n');
      unread = events.pop() ?? '';
      for (const event of events) await answerIfAsked(event);
    }
    return resultOf(rpcMessageOf(text, response));
  };
  return {
    era: '2025',
    call: async (tool, args = {}) => toolAnswer(await ask('tools/call', { name: tool, arguments: args })),
    listTools: () => ask('tools/list', {}),
    request: ask,
    instructions: async () => introductionSchema.parse(introduction).instructions,
    listen: () => server.handleRequest(new Request(MCP, { headers })),
    end: () => server.handleRequest(new Request(MCP, { method: 'DELETE', headers })),
  };
}

/** A 2026-07-28 client. With `answer`, it supports URL elicitation. */
export function inMemory2026(
  server: Server,
  answer: OpenAddress = cannotOpen,
  clientInfo: ClientInfo = CLIENT_INFO,
): InMemoryClient {
  const capabilities = capabilitiesOf(answer);
  const meta = { 'io.modelcontextprotocol/clientInfo': clientInfo };
  const ask = async (method: string, { _meta, ...params }: Record<string, unknown>) => {
    const options = { capabilities, meta: { ...meta, ...(_meta as object | undefined) } };
    return resultOf(await post(server, request2026(method, params, options)));
  };
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
    request: ask,
    instructions: async () => introductionSchema.parse(await ask('server/discover', {})).instructions,
  };
}
