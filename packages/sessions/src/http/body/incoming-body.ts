import type { IncomingMessage } from 'node:http';
import { ByteBuilder } from '../../limits/byte-builder.js';
import type { ClientKey } from '../../limits/client-key.js';
import type { BodyMemoryLimit, HeldBody } from './body-memory-limit.js';
import { ChunkLimit } from './chunk-limit.js';
import type { JsonScan, ScanRefusal } from './json-scan.js';
import type { RequestScheduler } from './request-scheduler.js';

/** Why a body was not received. */
export type BodyRefusal = 'too-large' | 'too-many-pieces' | 'no-room' | 'unreadable' | ScanRefusal;

/** The text of a body, or why there is none. */
export type ReceivedBody = { readonly kind: 'text'; readonly text: string } | { readonly kind: BodyRefusal };

export interface BodyLimits {
  readonly maxBytes: number;
  readonly room: BodyMemoryLimit;
  /** The address that it counts for. */
  readonly clientKey: ClientKey | undefined;
  /** Scans a JSON body while it arrives. */
  readonly scan: JsonScan | undefined;
  /** Decides when a body that has arrived over a connection is used; it stays counted until then. */
  readonly turns: RequestScheduler | undefined;
}

/** A body while it is received. */
export class IncomingBody {
  readonly #limits: BodyLimits;
  readonly #bytes = new ByteBuilder();
  readonly #pieces = new ChunkLimit();
  #reading: Promise<void> | undefined;
  #held: HeldBody | undefined;
  #refusal: BodyRefusal | undefined;
  #tellRefused: (refusal: BodyRefusal) => void = () => undefined;
  /** Ends the reading. */
  #stop: () => void = () => undefined;

  constructor(limits: BodyLimits) {
    this.#limits = limits;
  }

  /** Receives the body of a request that nobody has read, from Node itself: that costs least for each piece. */
  receiveFrom(incoming: IncomingMessage): void {
    this.#reading = this.#readFrom(incoming);
  }

  /** Receives the body of a request, wherever it comes from. */
  receive(request: Request): void {
    this.#reading = this.#read(request);
  }

  /** Its text once it is there, or why there is none. */
  async received(): Promise<ReceivedBody> {
    await this.#reading;
    const refusal = this.#limits.scan?.end();
    if (refusal) this.#refuse(refusal);
    return this.#refusal ? { kind: this.#refusal } : { kind: 'text', text: this.#bytes.text() };
  }

  /** Comes when it is refused, and never otherwise. */
  refused(): Promise<BodyRefusal> {
    return new Promise((resolve) => {
      if (this.#refusal) resolve(this.#refusal);
      else this.#tellRefused = resolve;
    });
  }

  /** Receives no more of it: nobody wants it. */
  abandon(): void {
    this.#refuse('unreadable');
  }

  async #readFrom(incoming: IncomingMessage): Promise<void> {
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
    if (this.#refusal && !incoming.complete) incoming.pause();
    const { turns, clientKey } = this.#limits;
    if (!this.#refusal) await turns?.take(clientKey);
    this.#held?.release();
  }

  async #read({ body }: Request): Promise<void> {
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

  #take(piece: Uint8Array): void {
    if (this.#refusal) return;
    const { room, clientKey } = this.#limits;
    const refusal = this.#refusalOf(piece);
    if (refusal) {
      this.#refuse(refusal);
      return;
    }
    this.#bytes.add(piece);
    const { capacity } = this.#bytes;
    if (this.#held) this.#held.resize(capacity);
    else this.#held = room.hold(clientKey, capacity, () => this.#refuse('no-room'));
  }

  #refusalOf(piece: Uint8Array): BodyRefusal | undefined {
    const { maxBytes, scan } = this.#limits;
    if (this.#bytes.size + piece.length > maxBytes) return 'too-large';
    return this.#pieces.add(piece.length) ? 'too-many-pieces' : scan?.add(piece);
  }

  #refuse(refusal: BodyRefusal): void {
    this.#refusal ??= refusal;
    this.#bytes.clear();
    this.#stop();
    this.#tellRefused(this.#refusal);
  }
}
