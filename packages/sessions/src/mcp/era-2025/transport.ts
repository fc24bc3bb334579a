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
import { ErrorCode, errorResponse } from '../wire/error-response.js';
import { MAX_IN_FLIGHT, tooManyInFlight } from '../wire/in-flight-limit.js';
import { messagesOf, methodOf, propertyOf, requestIdsOf } from '../wire/json-rpc.js';
import type { EventBuffer } from './event-buffer.js';

/** How long a client waits before it comes back for the rest of a stream (SSE `retry`). */
const RETRY_MS = 1000;
/** The error that a call gets if its connection ends, for example because it was evicted. */
const ENDED = {
  code: ErrorCode.connectionClosed,
  message:
    'The connection ended while this call was in flight, so its result is lost. Changes that the call has made remain. Reconnect this server before you call again.',
};
/** Requests that nobody waits for any more are answered with this, to no one: it settles the SDK's books. */
const CANCELLED = { code: -32_800, message: 'The request was cancelled.' };

/**
 * The SDK's transport, which keeps an eye on the requests it is serving. The SDK itself takes a second
 * request of the same id for the first and leaves that one without an answer, and keeps a cancelled one
 * open for ever.
 */
export class ConnectionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #events: EventBuffer;
  readonly #currentRequest: () => object | undefined;
  /** The ids of requests that wait for their answer, and what stands for each of them in the buffer. */
  readonly #serving = new Map<unknown, object | undefined>();

  constructor(id: SessionId, events: EventBuffer, currentRequest: () => object | undefined) {
    super({ sessionIdGenerator: () => id, eventStore: events, retryInterval: RETRY_MS });
    this.#events = events;
    this.#currentRequest = currentRequest;
  }

  /**
   * Serves a POST. A request whose id is in use is refused, and what a cancelled one has open is closed.
   * @param body one message, or a batch
   * @param known what is known of it: what stands for it in the event buffer, and who is calling
   */
  async serve(
    request: Request,
    body: unknown,
    { call, authInfo }: { readonly call: object | undefined; readonly authInfo: AuthInfo | undefined },
  ): Promise<Response> {
    const ids = requestIdsOf(body);
    if (this.#serving.size + ids.length > MAX_IN_FLIGHT) {
      return tooManyInFlight();
    }
    if (new Set(ids).size < ids.length || ids.some((id) => this.#serving.has(id))) {
      return errorResponse(
        400,
        ErrorCode.invalidRequest,
        'A request with this id is still being served. Give every request of a session an id of its own.',
      );
    }
    for (const id of ids) this.#serving.set(id, call);
    const response = await this.handleRequest(request, { parsedBody: body, ...(authInfo && { authInfo }) });
    if (!response.ok) for (const id of ids) this.#serving.delete(id);
    for (const id of cancelledIdsOf(body)) await this.#dropCancelled(id);
    return response;
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const relatedRequestId = options?.relatedRequestId;
    const isAnswer = isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message);
    // A tool may still have something to say when its caller has gone, or has signed out.
    if (isJSONRPCNotification(message) && this.#isLate(relatedRequestId)) return;
    const call = this.#serving.get(isAnswer ? message.id : relatedRequestId);
    const send = () => super.send(message, relatedRequestId === undefined ? {} : { relatedRequestId });
    try {
      await this.#events.storing(call, send);
    } finally {
      if (isAnswer) this.#serving.delete(message.id);
    }
  }

  /** Answers the calls in flight with an error, and closes every stream. */
  override async close(): Promise<void> {
    for (const id of [...this.#serving.keys()]) {
      // These are ids of requests, which the SDK has validated.
      await this.send({ jsonrpc: '2.0', id: id as RequestId, error: ENDED }).catch(ignore);
    }
    await super.close();
  }

  #isLate(relatedRequestId: RequestId | undefined): boolean {
    return relatedRequestId === undefined
      ? this.#events.isStale(this.#currentRequest())
      : !this.#serving.has(relatedRequestId);
  }

  async #dropCancelled(id: unknown): Promise<void> {
    // These are ids of requests, which the SDK has validated.
    if (!this.#serving.has(id)) return;
    const requestId = id as RequestId;
    const call = this.#serving.get(id);
    const others = [...this.#serving].filter(([other, ofCall]) => ofCall === call && other !== id);
    // The calls of a batch share a stream.
    if (others.length === 0 || call === undefined) this.closeSSEStream(requestId);
    await this.send({ jsonrpc: '2.0', id: requestId, error: CANCELLED });
  }
}

function cancelledIdsOf(body: unknown): unknown[] {
  return messagesOf(body)
    .filter((message) => methodOf(message) === 'notifications/cancelled')
    .map((message) => propertyOf(propertyOf(message, 'params'), 'requestId'));
}

function ignore(): void {
  // The call was answered meanwhile.
}
