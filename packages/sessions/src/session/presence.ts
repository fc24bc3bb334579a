import type { SessionRef } from './ids.js';

/** Whether a client is there, as far as its streams tell. */
export interface Presence {
  readonly openStreams: number;
  /** When its last stream was closed. */
  readonly lastStreamAtMs?: number | undefined;
  /** The same, if it was not this server that closed it. */
  readonly disconnectedAtMs?: number | undefined;
}

/** Who closed a stream. */
export type StreamCloser = 'client' | 'server';

const ABSENT: Presence = { openStreams: 0 };

/** Counts the streams that are open for each session on this node. */
export class PresenceBook {
  readonly #entries = new Map<SessionRef, Presence>();

  of(ref: SessionRef): Presence {
    return this.#entries.get(ref) ?? ABSENT;
  }

  opened(ref: SessionRef): void {
    this.#entries.set(ref, { openStreams: this.of(ref).openStreams + 1 });
  }

  closed(ref: SessionRef, by: StreamCloser, atMs: number): void {
    const openStreams = this.of(ref).openStreams - 1;
    if (openStreams > 0) this.#entries.set(ref, { openStreams });
    else if (openStreams === 0) {
      const disconnectedAtMs = by === 'client' ? atMs : undefined;
      this.#entries.set(ref, { openStreams, lastStreamAtMs: atMs, disconnectedAtMs });
    }
  }

  forget(ref: SessionRef): void {
    this.#entries.delete(ref);
  }
}
