import type { ServerResponse } from 'node:http';
import type { Peer } from '../limits/peer.js';
import type { CountUnread } from '../mcp/event-stream.js';
import { BodyRoom, type HeldBody } from './body-room.js';

/** How much clients may leave unread, all together. */
export const MAX_UNREAD_BYTES: number = 64 * 1024 * 1024;

/**
 * What clients leave unread of their answers, and this server has to hold. When that is too much, the client that holds
 * most of it is cut off.
 */
export class UnreadAnswers {
  readonly #room: BodyRoom;

  /** @param mostBytes how much may be held. Default: 64 MiB. */
  constructor(mostBytes: number = MAX_UNREAD_BYTES) {
    this.#room = new BodyRoom(mostBytes);
  }

  /** How many bytes are held. */
  get size(): number {
    return this.#room.size;
  }

  /** Counts for an address; absent: for nobody but itself. */
  counterFor(peer: Peer | undefined): CountUnread {
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
        else held = this.#room.hold(peer, bytes, cut, unread);
      };
      return { update, release };
    };
  }

  /** Counts what Node holds of a response, until it is sent. */
  watch(outgoing: ServerResponse, peer: Peer | undefined): void {
    const { update, release } = this.counterFor(peer)(
      () => (outgoing.destroyed ? 0 : outgoing.writableLength),
      () => outgoing.destroy(),
    );
    for (const name of ['write', 'end'] as const) {
      // One signature for the overloads of both.
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
