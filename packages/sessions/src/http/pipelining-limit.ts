import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** Clients, browsers and proxies wait for an answer before they ask again on a connection; a few more harm nobody. */
const MAX_UNANSWERED = 16;

/**
 * The requests that wait for their answers on a connection of HTTP/1 (pipelining, RFC 9112 section 9.3.2). Node reads
 * as many of them as fit into 64 KiB and serves them all at once, so that little can make much work.
 */
export class PipeliningLimit {
  readonly #counts = new WeakMap<Socket, number>();

  /** Counts a request. One too many ends its connection. @returns whether it is to be served */
  admit({ socket, httpVersionMajor }: IncomingMessage, response: ServerResponse): boolean {
    if (httpVersionMajor !== 1) return true;
    if (socket.destroyed) return false;
    const count = (this.#counts.get(socket) ?? 0) + 1;
    if (count > MAX_UNANSWERED) {
      socket.destroy();
      return false;
    }
    this.#counts.set(socket, count);
    response.once('close', () => this.#counts.set(socket, (this.#counts.get(socket) ?? 1) - 1));
    return true;
  }
}
