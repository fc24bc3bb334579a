import {
  isJSONRPCErrorResponse,
  isJSONRPCNotification,
  isJSONRPCResultResponse,
  type JSONRPCMessage,
  type RequestId,
  type TransportSendOptions,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import type { SessionId } from '../session/ids.js';
import type { EventBuffer } from './event-buffer.js';

/** How long a client waits before it comes back for the rest of a stream (SSE `retry`). */
const RETRY_MS = 1000;
/** Requests that nobody waits for any more are answered with this, to no one: it settles the SDK's books. */
const CANCELLED = { code: -32_800, message: 'The request was cancelled.' };

/**
 * The SDK's transport, which keeps an eye on the requests it is serving. The SDK itself takes a second
 * request of the same id for the first and leaves that one without an answer, and keeps a cancelled one
 * open for ever.
 */
export class ConnectionTransport extends WebStandardStreamableHTTPServerTransport {
  readonly #serving = new Set<unknown>();

  constructor(id: SessionId, events: EventBuffer) {
    super({ sessionIdGenerator: () => id, eventStore: events, retryInterval: RETRY_MS });
  }

  /** Whether a request of that id is waiting for its answer. */
  isServing(id: unknown): boolean {
    return this.#serving.has(id);
  }

  /** Passes on a request; {@link isServing} knows of `ids` until they are answered. */
  async serve(request: Request, body: unknown, ids: readonly unknown[]): Promise<Response> {
    for (const id of ids) this.#serving.add(id);
    const response = await this.handleRequest(request, { parsedBody: body });
    if (!response.ok) for (const id of ids) this.#serving.delete(id);
    return response;
  }

  /** Closes what is open for a request that its client has cancelled. */
  async dropCancelled(id: RequestId): Promise<void> {
    if (!this.#serving.has(id)) return;
    this.closeSSEStream(id);
    await this.send({ jsonrpc: '2.0', id, error: CANCELLED });
  }

  override async send(message: JSONRPCMessage, options?: TransportSendOptions): Promise<void> {
    const relatedRequestId = options?.relatedRequestId;
    // A tool may still report progress when its caller has gone.
    const isLate = relatedRequestId !== undefined && !this.#serving.has(relatedRequestId);
    if (isLate && isJSONRPCNotification(message)) return;
    try {
      await super.send(message, relatedRequestId === undefined ? {} : { relatedRequestId });
    } finally {
      if (isJSONRPCResultResponse(message) || isJSONRPCErrorResponse(message))
        this.#serving.delete(message.id);
    }
  }
}
