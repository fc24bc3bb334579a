import {
  classifyInboundRequest,
  PROTOCOL_VERSION_META_KEY,
  SUPPORTED_PROTOCOL_VERSIONS,
} from '@modelcontextprotocol/server';
import { omitUndefined } from '../omit-undefined.js';
import type { ChangeElsewhere } from '../session/followed-session.js';
import type { InternalEvent } from '../session/session-events.js';
import type { Operations } from '../telemetry/operation.js';
import { Connections, type ConnectionsOptions } from './era-2025/connections.js';
import { StatelessHandler, type StatelessHandlerOptions } from './era-2026/stateless-handler.js';
import { beginOperation, endOperation } from './observed.js';
import type { McpRequest, PlainRequest } from './request/mcp-request.js';
import {
  ErrorCode,
  errorResponse,
  errorResponseOf,
  isLimitReached,
  serverClosing,
} from './wire/error-response.js';
import { MAX_ID_CHARACTERS, messagesOf, methodOf, oversizedIdOf, propertyOf } from './wire/json-rpc.js';
import { type PlainAnswer, responseOf } from './wire/plain-answer.js';

export interface EndpointOptions
  extends ConnectionsOptions,
    Omit<StatelessHandlerOptions, 'errorResponseOf'> {
  /** Measures how requests are served. Default: nothing does. */
  readonly operations?: Operations | undefined;
}

/** Calls a tool. It resolves with `undefined` if the tool was not called. */
type DirectCall = () => Promise<PlainAnswer | Response | undefined>;

/** The MCP endpoint. Passes each request to the handler of its protocol era. */
export class Endpoint {
  readonly #onError: (error: unknown) => void;
  readonly #connections: Connections;
  readonly #stateless: StatelessHandler;
  readonly #operations: Operations | undefined;
  #isDraining = false;

  constructor(options: EndpointOptions) {
    this.#onError = options.onError;
    this.#operations = options.operations;
    this.#connections = new Connections(options);
    this.#stateless = new StatelessHandler({
      ...options,
      errorResponseOf: (error) => this.#errorResponse(error),
    });
  }

  /**
   * Answers every new request with 503, because the server is closing. Messages for calls in flight are still accepted.
   */
  drain(): void {
    this.#isDraining = true;
  }

  /** Follows an event, or a change by another node. Call it for each one. */
  handleEvent(event: InternalEvent | ChangeElsewhere): void {
    this.#connections.handleEvent(event);
    this.#stateless.handleEvent(event);
  }

  /**
   * A call that may be answered without the SDK; `undefined` if the request is none.
   * @returns a function that calls the tool. It resolves with `undefined` if `handle` has to serve the request, because
   * the tool was not called. Never rejects
   */
  direct(incoming: PlainRequest): DirectCall | undefined {
    const call = this.#direct(incoming);
    const operations = this.#operations;
    if (!call || !operations || incoming.sink) return call;
    return () => {
      const operation = beginOperation(operations, incoming);
      if (!operation) return call();
      incoming.operation = operation;
      return operation.run(() =>
        call().then((answer) => {
          // `handle` measures it otherwise.
          if (answer) endOperation(operation, answer);
          return answer;
        }),
      );
    };
  }

  #direct(incoming: PlainRequest): DirectCall | undefined {
    if (this.#isDraining || oversizedIdOf(incoming.body) !== undefined) return undefined;
    if (incoming.sink) {
      const open = this.#connections.stream(incoming);
      return open && (() => open().catch((error: unknown) => this.#errorResponse(error)));
    }
    const call = this.#connections.direct(incoming);
    if (call) return () => call().catch((error: unknown) => this.#errorResponse(error));
    const direct = this.#stateless.direct(incoming);
    if (direct || !isOf2025(incoming.headers, incoming.body)) return direct;
    return () => this.#connections.handle(incoming).catch((error: unknown) => this.#errorResponse(error));
  }

  /** Serves one request. Never rejects. */
  async handle(incoming: McpRequest): Promise<Response> {
    const { request, body } = incoming;
    const { headers } = request;
    const operation =
      this.#operations && request.method === 'POST'
        ? beginOperation(this.#operations, { body, headers })
        : undefined;
    if (!operation) return this.#handle(incoming);
    return operation.run(async () => {
      const response = await this.#handle({ ...incoming, operation });
      endOperation(operation, response);
      return response;
    });
  }

  async #handle(incoming: McpRequest): Promise<Response> {
    const { request, body } = incoming;
    if (this.#isDraining && !messagesOf(body).every(concernsCallInFlight)) return serverClosing();
    const oversized = oversizedIdOf(body);
    if (oversized !== undefined) {
      const message = `The ${oversized} of a request may have at most ${MAX_ID_CHARACTERS} characters. Send a shorter one.`;
      return errorResponse(400, ErrorCode.invalidRequest, message);
    }
    try {
      return request.method !== 'POST' || isOf2025(request.headers, body)
        ? responseOf(await this.#connections.handle(incoming))
        : await this.#stateless.handle(incoming);
    } catch (error) {
      return this.#errorResponse(error);
    }
  }

  #errorResponse(error: unknown): Response {
    if (!isLimitReached(error)) this.#onError(error);
    return errorResponseOf(error);
  }

  /** Ends all calls and streams, as the server. */
  async close(): Promise<void> {
    await Promise.all([this.#connections.close(), this.#stateless.close()]);
  }
}

/** Whether a message belongs to a call in flight: a response, or a notification such as a cancellation. */
function concernsCallInFlight(message: unknown): boolean {
  return (
    message !== undefined && (methodOf(message) === undefined || propertyOf(message, 'id') === undefined)
  );
}

/** Whether a POST belongs to a 2025 connection, or opens one. */
function isOf2025(headers: PlainRequest['headers'], body: unknown): boolean {
  if (claimsRevision(body)) return false;
  if (isPlainly2025(headers, body)) return true;
  const header = (name: string) => headers.get(name) ?? undefined;
  const { kind } = classifyInboundRequest({
    httpMethod: 'POST',
    ...omitUndefined({
      protocolVersionHeader: header('mcp-protocol-version'),
      mcpMethodHeader: header('mcp-method'),
      mcpNameHeader: header('mcp-name'),
    }),
    body,
  });
  return kind === 'legacy';
}

const MESSAGE_KEYS: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);
const REVISIONS_2025: ReadonlySet<string | null> = new Set([null, ...SUPPORTED_PROTOCOL_VERSIONS]);

/** Whether a message is written as most 2025 clients write theirs. The SDK compares each message with all its schemas. */
function isPlainly2025(headers: PlainRequest['headers'], body: unknown): boolean {
  const id = propertyOf(body, 'id');
  const params = propertyOf(body, 'params');
  return (
    REVISIONS_2025.has(headers.get('mcp-protocol-version')) &&
    propertyOf(body, 'jsonrpc') === '2.0' &&
    typeof propertyOf(body, 'method') === 'string' &&
    (id === undefined || typeof id === 'string' || Number.isSafeInteger(id)) &&
    Object.keys(body as object).every((key) => MESSAGE_KEYS.has(key)) &&
    (params === undefined || isWithoutMeta(params))
  );
}

function isWithoutMeta(params: unknown): boolean {
  return typeof params === 'object' && params !== null && !Array.isArray(params) && !('_meta' in params);
}

/**
 * Whether a message names its revision in `_meta`, which only 2026 requests do. The SDK decides in the same way, after it
 * has checked the message against several schemas; its handler of the 2026 era does that anyway.
 */
function claimsRevision(body: unknown): boolean {
  const method = methodOf(body);
  const meta = propertyOf(propertyOf(body, 'params'), '_meta');
  return (
    typeof method === 'string' &&
    method !== 'initialize' &&
    propertyOf(body, 'result') === undefined &&
    propertyOf(body, 'error') === undefined &&
    propertyOf(meta, PROTOCOL_VERSION_META_KEY) !== undefined
  );
}
