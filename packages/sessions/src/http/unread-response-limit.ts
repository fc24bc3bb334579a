import type { ServerResponse } from 'node:http';
import type { ClientKey } from '../limits/client-key.js';
import type { CountUnread } from '../mcp/wire/sse-stream.js';
import { BodyMemoryLimit, type MemoryReservation } from './body/body-memory-limit.js';
import type { RequestEnd } from './request-end.js';

/** The maximum number of unread bytes of all clients. */
export const MAX_UNREAD_BYTES: number = 64 * 1024 * 1024;

/**
 * Counts the bytes of responses that this server holds because clients have not read them. Above the maximum, closes a
 * connection of the client that holds the most.
 */
export class UnreadResponseLimit {
  readonly #memory: BodyMemoryLimit;

  /** @param maxBytes the maximum number of unread bytes. Default: 64 MiB. */
  constructor(maxBytes: number = MAX_UNREAD_BYTES) {
    this.#memory = new BodyMemoryLimit(maxBytes);
  }

  /** The number of unread bytes. */
  get size(): number {
    return this.#memory.size;
  }

  /**
   * Returns a counter for the responses to a client.
   * @param clientKey absent: each response counts for itself
   */
  counterFor(clientKey: ClientKey | undefined): CountUnread {
    return (unread, disconnect) => {
      let reservation: MemoryReservation | undefined;
      let isEvicted = false;
      const release = () => {
        reservation?.release();
        reservation = undefined;
      };
      const onEvicted = () => {
        isEvicted = true;
        disconnect();
      };
      const update = () => {
        const bytes = isEvicted ? 0 : unread();
        if (bytes === 0) release();
        else if (reservation) reservation.resize(bytes);
        else reservation = this.#memory.reserve(clientKey, bytes, onEvicted, unread);
      };
      return { update, release };
    };
  }

  /** Counts the bytes of a response that Node holds now or later, until they are sent or the request ends. */
  watch(outgoing: ServerResponse, clientKey: ClientKey | undefined, end: RequestEnd): void {
    const { update, release } = this.counterFor(clientKey)(
      () => (outgoing.destroyed ? 0 : outgoing.writableLength),
      () => outgoing.destroy(),
    );
    for (const name of ['write', 'end'] as const) {
      // One signature for the overloads of both methods.
      const send = outgoing[name].bind(outgoing) as (...args: unknown[]) => unknown;
      const counted = (...args: unknown[]) => {
        const sent = send(...args);
        update();
        return sent;
      };
      Object.assign(outgoing, { [name]: counted });
    }
    outgoing.on('drain', update).once('finish', update);
    end.onEnd(release);
    update();
  }
}
