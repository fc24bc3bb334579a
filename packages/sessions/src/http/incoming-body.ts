import type { IncomingMessage } from 'node:http';
import { CollectedBytes } from '../collected-bytes.js';
import type { Peer } from '../limits/peer.js';
import type { BodyRoom, HeldBody } from './body-room.js';
import { Pieces } from './pieces.js';

/** Why a body was not received. */
export type BodyRefusal = 'too-large' | 'too-many-pieces' | 'no-room' | 'unreadable';

export interface BodyLimits {
  readonly maxBytes: number;
  readonly room: BodyRoom;
  /** The address that it counts for. */
  readonly peer: Peer | undefined;
}

/** A body while it is received. */
export class IncomingBody {
  readonly #limits: BodyLimits;
  readonly #bytes = new CollectedBytes();
  readonly #pieces = new Pieces();
  #held: HeldBody | undefined;
  #refusal: BodyRefusal | undefined;
  /** Ends the reading. */
  #stop: () => void = () => undefined;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Receives the body of a request that nobody has read, from Node itself: that costs least for each piece. */
  async receiveFrom(incoming: IncomingMessage): Promise<void> {
    const take = (piece: Buffer) => this.#take(piece);
    const fail = () => this.#refuse('unreadable');
    await new Promise<void>((resolve) => {
      this.#stop = () => {
        // Its end is followed by its close, before anybody who waits for this goes on.
        incoming.off('data', take).off('end', this.#stop).off('error', fail).off('close', fail);
        resolve();
      };
      incoming.on('data', take).on('end', this.#stop).on('error', fail).on('close', fail);
    });
    // What still comes has to wait until there is an answer.
    if (this.#refusal) incoming.pause();
    this.#held?.release();
  }

  /** Receives the body of a request, wherever it comes from. */
  async receive({ body }: Request): Promise<void> {
    try {
      const reader = body?.getReader();
      this.#stop = () => void reader?.cancel().catch(() => undefined);
      for (let read = await reader?.read(); read && !read.done; read = await reader?.read())
        this.#take(read.value);
    } catch {
      this.#refuse('unreadable');
    }
    this.#held?.release();
  }

  /** Its text, or why there is none. */
  outcome(): { readonly kind: 'text'; readonly text: string } | { readonly kind: BodyRefusal } {
    return this.#refusal ? { kind: this.#refusal } : { kind: 'text', text: this.#bytes.text() };
  }

  #take(piece: Uint8Array): void {
    if (this.#refusal) return;
    const { maxBytes, room, peer } = this.#limits;
    if (this.#bytes.size + piece.length > maxBytes) this.#refuse('too-large');
    else if (this.#pieces.add(piece.length)) this.#refuse('too-many-pieces');
    else {
      this.#bytes.add(piece);
      const { capacity } = this.#bytes;
      if (this.#held) this.#held.resize(capacity);
      else this.#held = room.hold(peer, capacity, () => this.#refuse('no-room'));
    }
  }

  #refuse(refusal: BodyRefusal): void {
    this.#refusal ??= refusal;
    this.#bytes.clear();
    this.#stop();
  }
}
