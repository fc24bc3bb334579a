import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { type Agent, request as httpsRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type { Browser } from './browser.js';

/** A request exactly as it is sent, including `Host` and `Origin`. */
export interface RawRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent with a `Content-Length`; as `chunks`, without one. */
  readonly body?: string;
  readonly chunks?: readonly string[];
  /** The agent for https URLs. */
  readonly agent?: Agent | undefined;
}

/** The headers of every request of a client, and its agent. */
export interface RawWay {
  readonly headers?: Readonly<Record<string, string>>;
  readonly agent?: Agent | undefined;
  /** The title of the client. Default: none, only the name `raw`. */
  readonly title?: string | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Sends a request unchanged. Does not follow redirects. */
export function send(
  url: string | URL,
  { method = 'GET', headers = {}, body, chunks, agent }: RawRequest = {},
) {
  return new Promise<RawAnswer>((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const options = { method, headers: { ...length, ...headers } };
    const request =
      new URL(url).protocol === 'https:'
        ? httpsRequest(url, { ...options, agent })
        : httpRequest(url, { ...options, agent: false });
    let isAnswered = false;
    request.once('response', (response) => {
      isAnswered = true;
      const { statusCode = 0, headers } = response;
      text(response).then((text) => resolve({ status: statusCode, headers, text }), reject);
    });
    // A server that refuses a body may stop reading it, so that a broken pipe is not an error.
    request.on('error', (error) => isAnswered || reject(error));
    for (const chunk of chunks ?? []) request.write(chunk);
    request.end(body);
  });
}

const resultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().optional() })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
  resultType: z.string().optional(),
  requestState: z.string().optional(),
  inputRequests: z.record(z.string(), z.unknown()).optional(),
});
const messageSchema = z.object({
  id: z.unknown(),
  result: resultSchema.optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});
export type RpcMessage = z.infer<typeof messageSchema>;

/** The result of a tool, in any revision. */
export interface ToolAnswer {
  readonly isError: boolean;
  readonly text: string;
  readonly structured: Readonly<Record<string, unknown>>;
}

/** A client with access to the wire. */
export interface RawClient {
  /** The session id of a 2025 client, or the handle of a 2026 client. */
  readonly secret: string;
  /** JSON-RPC ids start at 1 in every client, so that all clients use the same ids. */
  call(tool: string, args?: Record<string, unknown>): Promise<ToolAnswer>;
}

export const JSON_HEADERS = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};
const RPC_ID = 7;

/** The JSON-RPC message in a JSON or event-stream response. */
export function messageOf({ headers, text }: RawAnswer): RpcMessage {
  const isStream = headers['content-type']?.startsWith('text/event-stream');
  const data = isStream ? [...text.matchAll(/^data: ?(.+)$/gm)].at(-1)?.[1] : text;
  return messageSchema.parse(JSON.parse(data ?? ''));
}

function toolAnswerOf(answer: RawAnswer, id: number): ToolAnswer {
  const { id: answeredId, result, error } = messageOf(answer);
  if (!result) throw new Error(`${answer.status}: ${error?.message}`);
  if (answeredId !== id) throw new Error(`The answer to ${id} carries the id ${answeredId}.`);
  const text = result.content.map((content) => content.text ?? '').join('\n');
  return { isError: result.isError, text, structured: result.structuredContent };
}

/** The body of a call in the 2025 revisions. */
export function call2025(tool: string, args: Record<string, unknown> = {}, id: number = RPC_ID): string {
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: tool, arguments: args },
  });
}

/** A request of the 2026-07-28 revision: headers and body. */
export function request2026(
  method: string,
  params: Record<string, unknown>,
  { id = RPC_ID, meta = {}, capabilities = {} as Record<string, unknown> } = {},
): RawRequest {
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': capabilities,
    ...meta,
  };
  const name = params.name ?? params.uri;
  return {
    method: 'POST',
    headers: {
      ...JSON_HEADERS,
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': method,
      ...(typeof name === 'string' && { 'mcp-name': name }),
    },
    body: JSON.stringify({ jsonrpc: '2.0', id, method, params: { ...params, _meta } }),
  };
}

function initializeBody(title: string | undefined): string {
  const clientInfo = { name: 'raw', title, version: '1' };
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo };
  return JSON.stringify({ jsonrpc: '2.0', id: RPC_ID, method: 'initialize', params });
}

/** Sends `initialize`. */
export function initialize(mcp: string, { headers = {}, agent, title }: RawWay = {}): Promise<RawAnswer> {
  const body = initializeBody(title);
  return send(mcp, { method: 'POST', headers: { ...JSON_HEADERS, ...headers }, body, agent });
}

/** A 2025-11-25 client without a standalone stream. */
export async function connect2025(
  mcp: string,
  { headers: own = {}, agent, title }: RawWay = {},
): Promise<RawClient & { end(): Promise<RawAnswer> }> {
  const answer = await initialize(mcp, { headers: own, agent, title });
  const secret = answer.headers['mcp-session-id'];
  if (typeof secret !== 'string') throw new Error(`No session: ${answer.status} ${answer.text}`);
  const headers = { ...JSON_HEADERS, ...own, 'mcp-session-id': secret };
  let calls = 0;
  return {
    secret,
    async call(tool, args) {
      const id = ++calls;
      const body = call2025(tool, args, id);
      return toolAnswerOf(await send(mcp, { method: 'POST', headers, body, agent }), id);
    },
    end: () => send(mcp, { method: 'DELETE', headers, agent }),
  };
}

/** A 2026-07-28 client. It sends the handle that `login` returns with every call. */
export function client2026(mcp: string, handle?: string, { headers = {}, agent }: RawWay = {}): RawClient {
  let secret = handle ?? '';
  let calls = 0;
  return {
    get secret() {
      return secret;
    },
    async call(tool, args = {}) {
      const id = ++calls;
      const named = secret ? { session: secret, ...args } : args;
      const request = request2026('tools/call', { name: tool, arguments: named }, { id });
      const answer = await send(mcp, { ...request, headers: { ...request.headers, ...headers }, agent });
      const result = toolAnswerOf(answer, id);
      const { session } = result.structured;
      if (tool === 'login' && typeof session === 'string') secret = session;
      return result;
    },
  };
}

/** Starts a login and returns its link. */
export async function startLogin(
  client: RawClient,
  arguments_: Record<string, unknown> = {},
): Promise<string> {
  const { structured, text } = await client.call('login', arguments_);
  const { loginUrl } = structured;
  if (typeof loginUrl !== 'string') throw new Error(`No link: ${text}`);
  return loginUrl;
}

/** Logs a client in. */
export async function logIn<Client extends RawClient>(
  client: Client,
  browser: Browser,
  username: string,
): Promise<Client> {
  await browser.logIn(await startLogin(client), username);
  const { structured, text } = await client.call('login');
  if (structured.status !== 'authenticated') throw new Error(`${username} is not logged in: ${text}`);
  return client;
}
