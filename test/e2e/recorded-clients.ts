import * as sdk2 from '@modelcontextprotocol/client';
import { Client as Sdk1Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as Sdk1Transport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { z } from 'zod';
import { CLIENT_KINDS, type ClientKind } from '../support/mcp-clients.js';
import { JSON_HEADERS, messageOf, type RawClient, request2026 } from '../support/raw-mcp.js';

type Params = Readonly<Record<string, unknown>>;
/** The kinds of request that every client can make. */
type Method = 'tools/call' | 'resources/read' | 'prompts/get';

/** A client that can send every kind of request and records every byte that it receives. */
export interface RecordedClient extends RawClient {
  readonly kind: RecordedKind;
  readonly era: '2025' | '2026';
  /** Whether the client is raw, so that it chooses JSON-RPC ids and progress tokens. */
  readonly isRaw: boolean;
  /**
   * Resolves with the response, including errors.
   * @param id the JSON-RPC id, for raw clients; an SDK chooses its own
   */
  request(method: Method, params: Params, id: number): Promise<void>;
  /** Everything received so far, for each HTTP response. */
  received(): readonly string[];
  close(): Promise<void>;
}

export const RECORDED_KINDS = ['raw 2025', 'raw 2026', ...CLIENT_KINDS] as const;
export type RecordedKind = (typeof RECORDED_KINDS)[number];

const INFO = { name: 'recorded', version: '1.0.0' };
const HANDLE_META_KEY = 'dev.mcp-sessions/session';
/** In 2026 a request has to opt in to log messages. */
const LOG_LEVEL = { 'io.modelcontextprotocol/logLevel': 'debug' };
/** The same progress token for every client and request. */
const PROGRESS_TOKEN = 'progress';
/** A resource that every 2026 client subscribes to. */
export const SHARED_RESOURCE = 'canary://shared';

/** Connects a client. A raw 2025 client opens a standalone stream, as the SDKs do. */
export function connectRecorded(kind: RecordedKind, mcp: string): Promise<RecordedClient> {
  switch (kind) {
    case 'raw 2025':
      return connectRaw2025(mcp);
    case 'raw 2026':
      return connectRaw2026(mcp);
    default:
      return connectSdk(kind, mcp);
  }
}

/** A `fetch` that records responses. */
class Recorder {
  readonly #received: string[] = [];

  readonly fetch = async (url: string | URL, init?: RequestInit): Promise<Response> => {
    const response = await fetch(url, init);
    const place = this.#received.push(`${response.status} ${JSON.stringify([...response.headers])}\n`) - 1;
    const record = (chunk: Uint8Array) => {
      this.#received[place] += Buffer.from(chunk).toString('latin1');
    };
    const body = response.body?.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          record(chunk);
          controller.enqueue(chunk);
        },
      }),
    );
    return new Response(body ?? null, response);
  };

  received(): readonly string[] {
    return this.#received;
  }
}

const toolResultSchema = z.looseObject({
  isError: z.boolean().default(false),
  content: z.array(z.looseObject({ text: z.string().default('') })).default([]),
  structuredContent: z.record(z.string(), z.unknown()).default({}),
});

function toolAnswerOf(result: unknown) {
  const { isError, content, structuredContent: structured } = toolResultSchema.parse(result);
  return { isError, text: content.map(({ text }) => text).join('\n'), structured };
}

/** The common part of raw clients of both eras. */
function rawClient(
  post: (method: string, params: Params, id: number) => Promise<Response>,
): Pick<RecordedClient, 'isRaw' | 'call' | 'request'> {
  const ask = async (method: string, params: Params, id: number) => {
    const response = await post(method, params, id);
    const headers = Object.fromEntries(response.headers);
    const message = messageOf({ status: response.status, headers, text: await response.text() });
    if (message.id !== id) throw new Error(`The answer to ${id} carries the id ${message.id}.`);
    return message;
  };
  let calls = 0;
  return {
    isRaw: true,
    async call(name, args = {}) {
      const { result, error } = await ask('tools/call', { name, arguments: args }, ++calls);
      if (!result) throw new Error(error?.message);
      return toolAnswerOf(result);
    },
    async request(method, params, id) {
      await ask(method, { ...params, _meta: { progressToken: PROGRESS_TOKEN } }, id);
    },
  };
}

async function connectRaw2025(mcp: string): Promise<RecordedClient> {
  const recorder = new Recorder();
  const closed = new AbortController();
  const headers: Record<string, string> = { ...JSON_HEADERS, 'mcp-protocol-version': '2025-11-25' };
  const post = (method: string, params: Params, id: number) =>
    recorder.fetch(mcp, {
      method: 'POST',
      headers,
      body: JSON.stringify({ jsonrpc: '2.0', id, method, params }),
    });
  const protocol = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: INFO };
  const initialized = await post('initialize', protocol, 0);
  await initialized.text();
  const secret = initialized.headers.get('mcp-session-id') ?? '';
  headers['mcp-session-id'] = secret;
  const stream = await recorder.fetch(mcp, { headers, signal: closed.signal });
  const drained = drain(stream);
  return {
    kind: 'raw 2025',
    era: '2025',
    secret,
    ...rawClient(post),
    received: () => recorder.received(),
    async close() {
      closed.abort();
      await drained;
    },
  };
}

async function connectRaw2026(mcp: string): Promise<RecordedClient> {
  const recorder = new Recorder();
  const closed = new AbortController();
  let handle: string | undefined;
  const post = (method: string, { _meta, ...params }: Params, id: number, signal?: AbortSignal) => {
    // The envelope is the same for all clients. Only the handle differs.
    const meta = { ...LOG_LEVEL, ...(handle && { [HANDLE_META_KEY]: handle }), ...asObject(_meta) };
    const { headers = {}, body = '' } = request2026(method, params, { id, meta });
    return recorder.fetch(mcp, { method: 'POST', headers, body, ...(signal && { signal }) });
  };
  const raw = rawClient(post);
  let drained: Promise<void> | undefined;
  return {
    kind: 'raw 2026',
    era: '2026',
    get secret() {
      return handle ?? '';
    },
    ...raw,
    async call(tool, args) {
      const answer = await raw.call(tool, args);
      const { session } = answer.structured;
      if (tool !== 'login' || typeof session !== 'string') return answer;
      handle = session;
      if (answer.structured.status !== 'authenticated') return answer;
      const notifications = { resourceSubscriptions: [SHARED_RESOURCE], toolsListChanged: true };
      drained = drain(await post('subscriptions/listen', { notifications }, 0, closed.signal));
      return answer;
    },
    received: () => recorder.received(),
    async close() {
      closed.abort();
      await drained;
    },
  };
}

/** The common interface of both SDK generations. */
interface SdkClient {
  callTool(params: { name: string; arguments?: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}
type SdkRequest = (method: Method, params: Params, onProgress: () => void) => Promise<unknown>;

async function connectSdk(kind: ClientKind, mcp: string): Promise<RecordedClient> {
  const recorder = new Recorder();
  const { client, era, request } = await (kind === 'SDK 1.x'
    ? sdk1(mcp, recorder)
    : sdk2Of(kind, mcp, recorder));
  let handle = '';
  return {
    kind,
    era,
    isRaw: false,
    get secret() {
      return handle;
    },
    async call(tool, args = {}) {
      const named = handle ? { session: handle, ...args } : args;
      const answer = toolAnswerOf(await client.callTool({ name: tool, arguments: named }));
      const { session } = answer.structured;
      if (tool === 'login' && typeof session === 'string') handle = session;
      return answer;
    },
    async request(method, params) {
      const named = handle ? { ...params, _meta: { ...LOG_LEVEL, [HANDLE_META_KEY]: handle } } : params;
      // Only the bytes on the wire matter, and an error is a response.
      await request(method, named, () => undefined).catch(() => undefined);
    },
    received: () => recorder.received(),
    close: () => client.close(),
  };
}

async function sdk1(mcp: string, { fetch }: Recorder) {
  const client = new Sdk1Client(INFO);
  const transport = new Sdk1Transport(new URL(mcp), { fetch });
  // The SDK's own types differ under exactOptionalPropertyTypes.
  await client.connect(transport as Parameters<typeof client.connect>[0]);
  const request: SdkRequest = (method, params, onprogress) =>
    client.request({ method, params }, z.looseObject({}), { onprogress });
  return { client: client as SdkClient, era: '2025' as const, request };
}

async function sdk2Of(kind: Exclude<ClientKind, 'SDK 1.x'>, mcp: string, { fetch }: Recorder) {
  const client = new sdk2.Client(INFO, SDK2_OPTIONS[kind]);
  await client.connect(new sdk2.StreamableHTTPClientTransport(new URL(mcp), { fetch }));
  const era = client.getNegotiatedProtocolVersion() === '2026-07-28' ? '2026' : '2025';
  const request: SdkRequest = (method, params, onprogress) =>
    client.request({ method, params }, z.looseObject({}), { onprogress });
  return { client: client as SdkClient, era: era as '2025' | '2026', request };
}

const SDK2_OPTIONS: Record<Exclude<ClientKind, 'SDK 1.x'>, sdk2.ClientOptions> = {
  'SDK 2.x in 2025': { supportedProtocolVersions: ['2025-11-25'] },
  'SDK 2.x auto': { versionNegotiation: { mode: 'auto' } },
  'SDK 2.x pinned to 2026': { versionNegotiation: { mode: { pin: '2026-07-28' } } },
};

/** Reads a stream until it ends or the client closes. */
async function drain(stream: Response): Promise<void> {
  if (!stream.ok) throw new Error(`No stream: ${stream.status} ${await stream.text()}`);
  await stream.text().catch(() => undefined);
}

function asObject(value: unknown): Params {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}
