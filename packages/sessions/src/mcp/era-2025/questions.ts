import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/server';
import { methodOf, propertyOf } from '../wire/json-rpc.js';

/**
 * The requests of one server object to its client that are neither answered nor cancelled. The client gets them with ids
 * of the connection. Each server object of the SDK counts from 0, so without them a late answer to a question of the
 * server object before would answer another question.
 */
export class Questions {
  readonly #nextId: () => number;
  /** The ids of the server object, by those of the connection. */
  readonly #open = new Map<number, RequestId>();

  /** @param nextId returns an id that the connection has not used for a request to its client */
  constructor(nextId: () => number) {
    this.#nextId = nextId;
  }

  /** The number of open requests. */
  get size(): number {
    return this.#open.size;
  }

  /** A message of the server object, as the client gets it. */
  toClient(message: JSONRPCMessage): JSONRPCMessage {
    if (!('method' in message)) return message;
    if ('id' in message) return this.#ask(message);
    if (message.method !== 'notifications/cancelled') return message;
    const cancelled = propertyOf(message.params, 'requestId');
    for (const [requestId, id] of this.#open) {
      if (id !== cancelled) continue;
      this.#open.delete(requestId);
      return { ...message, params: { ...message.params, requestId } };
    }
    return message;
  }

  /** Forgets a request that was not sent. @param sent the message as the client would have got it */
  forget(sent: JSONRPCMessage): void {
    if ('method' in sent && 'id' in sent) this.#open.delete(Number(sent.id));
  }

  /** A message of the client, as the server object gets it; `undefined` if it belongs to no open request. */
  toServer(message: JSONRPCMessage): JSONRPCMessage | undefined {
    if (!('method' in message)) {
      // The SDK accepts numbers in quotes, too.
      const number = Number(message.id);
      const id = this.#open.get(number);
      this.#open.delete(number);
      return id === undefined ? undefined : { ...message, id };
    }
    // A request of this name is answered as one of an unknown method.
    if ('id' in message || methodOf(message) !== 'notifications/progress') return message;
    const number = Number(propertyOf(message.params, 'progressToken'));
    // A token of the author's own is no number.
    if (Number.isNaN(number)) return message;
    const progressToken = this.#open.get(number);
    return progressToken === undefined
      ? undefined
      : { ...message, params: { ...message.params, progressToken } };
  }

  #ask<T extends Extract<JSONRPCMessage, { method: string; id: RequestId }>>(request: T): T {
    const id = this.#nextId();
    this.#open.set(id, request.id);
    const { params } = request;
    // The SDK gives the progress of a request the id of the request.
    if (params?._meta?.progressToken !== request.id) return { ...request, id };
    return { ...request, id, params: { ...params, _meta: { ...params._meta, progressToken: id } } };
  }
}
