import type { ServerResponse } from 'node:http';
import type { ClientKey } from '../limits/client-key.js';
import type { CountUnread } from '../mcp/wire/sse-stream.js';
import { BodyMemoryLimit, type HeldBody } from './body/body-memory-limit.js';

/** The maximum number of unread bytes of all clients. */
export const MAX_UNREAD_BYTES: number = 64 * 1024 * 1024;

/**
 * Counts the bytes of answers that clients have not read, and that this server holds. Above the maximum, a connection
 * of the client that holds the most is closed.
 */
export class UnreadResponseLimit {
  readonly #room: BodyMemoryLimit;

  /** @param mostBytes the maximum number of unread bytes. Default: 64 MiB. */
  constructor(mostBytes: number = MAX_UNREAD_BYTES) {
    this.#room = new BodyMemoryLimit(mostBytes);
  }

  /** How many bytes are held. */
  get size(): number {
    return this.#room.size;
  }

  /** A counter for answers to an address. Without one, each answer counts for itself. */
  counterFor(clientKey: ClientKey | undefined): CountUnread {
    return (unread, giveUp) => {
      let held: HeldBody | undefined;
      let isOver = false;
      const release = () => {
        held?.release();
        held = undefined;
      };
      const cut = () => {
        isOver = true;
        giveUp();
      };
      const update = () => {
        const bytes = isOver ? 0 : unread();
        if (bytes === 0) release();
        else if (held) held.resize(bytes);
        else held = this.#room.hold(clientKey, bytes, cut, unread);
      };
      return { update, release };
    };
  }

  /** Counts the bytes of a response that Node holds, until they are sent. */
  watch(outgoing: ServerResponse, clientKey: ClientKey | undefined): void {
    const { update, release } = this.counterFor(clientKey)(
      () => (outgoing.destroyed ? 0 : outgoing.writableLength),
      () => outgoing.destroy(),
    );
    for (const name of ['write', 'end'] as const) {
      // One signature stands for the overloads of both methods.
      const send = outgoing[name].bind(outgoing) as (...given: unknown[]) => unknown;
      const counted = (...given: unknown[]) => {
        const sent = send(...given);
        update();
        return sent;
      };
      Object.assign(outgoing, { [name]: counted });
    }
    outgoing.on('drain', update).once('finish', update).once('close', release);
  }
}
