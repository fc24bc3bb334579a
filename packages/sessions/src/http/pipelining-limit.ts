import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Clients, browsers and proxies wait for a response before they send the next request on a connection. */
const MAX_UNANSWERED = 16;

/**
 * Limits the pipelined requests of an HTTP/1 connection (RFC 9112 section 9.3.2). Node reads all requests that fit into
 * 64 KiB and serves them at once, so without a limit few bytes would cause much work.
 */
export class PipeliningLimit {
  /** Weak: a response that waits for an earlier one may not emit `close` when its connection ends. */
  readonly #unanswered = new WeakMap<Socket, number>();

  /** Counts a request. Closes the connection if the limit is exceeded. @returns whether to serve the request */
  admit({ socket, httpVersionMajor }: IncomingMessage, response: ServerResponse): boolean {
    if (httpVersionMajor !== 1) return true;
    if (socket.destroyed) return false;
    const count = (this.#unanswered.get(socket) ?? 0) + 1;
    if (count > MAX_UNANSWERED) {
      socket.destroy();
      return false;
    }
    this.#unanswered.set(socket, count);
    response.once('close', () => this.#unanswered.set(socket, (this.#unanswered.get(socket) ?? 1) - 1));
    return true;
  }
}
