import {
  type AuthInfo,
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId,
  type TransportSendOptions,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { SessionId } from '../../session/ids.js';
import { ErrorCode, errorResponse, MAX_REQUESTS_IN_FLIGHT, tooManyInFlight } from '../wire/error-response.js';
import { messagesOf, methodOf, propertyOf, requestIdsOf } from '../wire/json-rpc.js';
import type { EventBuffer } from './event-buffer.js';

/** How long a client waits before it resumes a stream (SSE `retry`). */
const RETRY_MS = 1000;
/** The error of calls whose connection ends, for example by eviction. */
const ENDED = {
  code: ErrorCode.connectionClosed,
  message:
    'The connection ended while this call was in flight, so its result is lost. Changes that the call has made remain. Reconnect this server before you call again.',
};
/** Completes a cancelled request in the SDK. The client does not receive it. */
const CANCELLED = { code: -32_800, message: 'The request was cancelled.' };

/**
 * The SDK's transport, with checks of request ids. Without them, the SDK would take a second request with the same id
 * for the first and leave the first without a response, and it would keep a cancelled request open.
 */
export class ConnectionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #events: EventBuffer;
  readonly #currentPost: () => object | undefined;
  /** The ids of requests in flight, with the POST of each. */
  readonly #inFlight = new Map<unknown, object | undefined>();

  constructor(id: SessionId, events: EventBuffer, currentPost: () => object | undefined) {
    super({ sessionIdGenerator: () => id, eventStore: events, retryInterval: RETRY_MS });
    this.#events = events;
    this.#currentPost = currentPost;
  }

  /**
   * Serves a POST. Refuses a request whose id is in use, and closes the streams of cancelled requests.
   * @param body one message, or a batch
   * @param authInfo the caller, for tools
   */
  async serve(request: Request, body: unknown, authInfo: AuthInfo | undefined): Promise<Response> {
    const ids = requestIdsOf(body);
    if (this.#inFlight.size + ids.length > MAX_REQUESTS_IN_FLIGHT) {
      return tooManyInFlight();
    }
    if (new Set(ids).size < ids.length || ids.some((id) => this.#inFlight.has(id))) {
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'A request with this id is still being served. Give every request of a session an id of its own.',
      );
    }
    const post = this.#currentPost();
    if (post) this.#events.begin(post, ids.length);
    for (const id of ids) this.#inFlight.set(id, post);
    const response = await this.handleRequest(request, { parsedBody: body, ...(authInfo && { authInfo }) });
    if (!response.ok) for (const id of ids) this.#inFlight.delete(id);
    for (const id of cancelledIdsOf(body)) await this.#dropCancelled(id);
    return response;
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const relatedRequestId = options?.relatedRequestId;
    // A tool may send notifications after its client has cancelled the call, or its user has signed out.
    if (isJSONRPCNotification(message) && this.#isLate(relatedRequestId)) return;
    const isResponse = isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message);
    try {
      await super.send(message, relatedRequestId === undefined ? {} : { relatedRequestId });
    } finally {
      if (isResponse) this.#inFlight.delete(message.id);
    }
  }

  /** Answers the calls in flight with an error, and closes every stream. */
  override async close(): Promise<void> {
    for (const id of [...this.#inFlight.keys()]) {
      // The SDK has validated the ids of requests.
      await this.send({ jsonrpc: '2.0', id: id as RequestId, error: ENDED }).catch(ignore);
    }
    await super.close();
  }

  #isLate(relatedRequestId: RequestId | undefined): boolean {
    return relatedRequestId === undefined
      ? this.#events.isStale(this.#currentPost())
      : !this.#inFlight.has(relatedRequestId);
  }

  async #dropCancelled(id: unknown): Promise<void> {
    if (!this.#inFlight.has(id)) return;
    // The SDK has validated the ids of requests.
    const requestId = id as RequestId;
    const post = this.#inFlight.get(id);
    const others = [...this.#inFlight].filter(([other, otherPost]) => otherPost === post && other !== id);
    // The calls of a batch share a stream.
    if (others.length === 0 || post === undefined) this.closeSSEStream(requestId);
    await this.send({ jsonrpc: '2.0', id: requestId, error: CANCELLED });
  }
}

function cancelledIdsOf(body: unknown): unknown[] {
  return messagesOf(body)
    .filter((message) => methodOf(message) === 'notifications/cancelled')
    .map((message) => propertyOf(propertyOf(message, 'params'), 'requestId'));
}

function ignore(): void {
  // The call has got its response in the meantime.
}
