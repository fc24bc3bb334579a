import type { SessionRef } from './ids.js';

/** Whether a client is there, as far as its streams tell. */
export interface Presence {
  readonly openStreams: number;
  /** When its last stream was closed. */
  readonly lastStreamAtMs?: number | undefined;
  /** When it went away: its last stream was closed, and not by this server, or it said so. */
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

  /** Notes that a client has gone, if it has no stream open that says otherwise. */
  left(ref: SessionRef, atMs: number): void {
    const { openStreams, lastStreamAtMs } = this.of(ref);
    if (openStreams === 0) this.#entries.set(ref, { openStreams, lastStreamAtMs, disconnectedAtMs: atMs });
  }

  forget(ref: SessionRef): void {
    this.#entries.delete(ref);
  }
}
